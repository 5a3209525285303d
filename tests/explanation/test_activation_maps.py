"""Class-activation maps, against what can be known or computed otherwise.

They need torchvision, whose wheel on PyPI needs a torch with CUDA's libraries: it runs
beside that on a CPU, too, but not beside a torch that was built for the CPU alone. So
these tests run where torch has CUDA's libraries, as PyPI's; `make install`
installs grad-cam there.
"""

import sys

import cv2
import numpy as np
import pytest
import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from torch import nn

from mmdet_eca import UserError
from mmdet_eca.explanation import METHODS, activation_maps, draw_activation_maps
from tests.explanation.detectors import CLASSES, build, write

needs_torchvision = pytest.mark.skipif(
    torch.version.cuda is None,
    reason='torchvision does not import beside a torch that is built for the CPU alone',
)
SIZE = (96, 128)


def image(seed=0):
    """An image as a test pipeline gives it: half the size of its file's."""
    random = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (3, *SIZE), generator=random, dtype=torch.uint8)
    metainfo = dict(
        img_shape=SIZE, ori_shape=(2 * SIZE[0], 2 * SIZE[1]), scale_factor=(0.5, 0.5)
    )
    return dict(inputs=pixels, data_samples=DetDataSample(metainfo=metainfo))


class Toy(nn.Module):
    """Two maps, and two detections, each of which depends on one place of one map."""

    places = ((1, 2, 5), (0, 10, 3))  # map, row, column

    def __init__(self):
        super().__init__()
        self.data_preprocessor = DetDataPreprocessor(pad_size_divisor=32)
        self.scale = nn.Parameter(torch.ones(1))

    def extract_feat(self, images):
        images = images / 255
        return [nn.functional.avg_pool2d(images, stride) for stride in (8, 16)]

    def predict(self, inputs, samples):
        maps = self.extract_feat(inputs)
        seen = [maps[level][0, :, y, x].sum() for level, y, x in self.places]
        scores = (self.scale * torch.stack(seen)).sigmoid()
        # Boxes in pixels of the file: around the places.
        boxes = [
            [2 * stride * v for v in (x, y, x + 1, y + 1)]
            for (level, y, x) in self.places
            for stride in ((8, 16)[level],)
        ]
        samples[0].pred_instances = InstanceData(
            bboxes=torch.tensor(boxes).float(),
            labels=torch.zeros(2, dtype=torch.int64),
            scores=scores,
        )
        return samples


@needs_torchvision
@pytest.mark.parametrize('method', [name for name in METHODS if name != 'GradCAM'])
def test_map_peaks_at_the_only_place_that_matters(method):
    toy = Toy()
    found, maps = activation_maps(toy, image(), 5, method)
    assert len(maps) == 2
    for box, (heat, level, inside), place in zip(found.bboxes, maps, toy.places):
        assert heat.shape == (2 * SIZE[0], 2 * SIZE[1])
        assert heat.max() == 1 and heat.min() == 0
        assert level == place[0]
        y, x = np.unravel_index(heat.argmax(), heat.shape)
        assert box[0] <= x <= box[2] and box[1] <= y <= box[3]
        assert inside > 0.4  # a cell of the map spreads into its neighbours
        margin = int(box[2] - box[0]) // 2 + 2
        assert _outside(heat, box.astype(int), margin) < 1e-3
    assert toy.scale.grad is None
    assert 'extract_feat' not in vars(toy)


def _outside(heat, box, margin):
    """The highest heat farther than ``margin`` from a box."""
    x1, y1, x2, y2 = box
    heat = heat.copy()
    heat[max(y1 - margin, 0) : y2 + margin, max(x1 - margin, 0) : x2 + margin] = 0
    return heat.max()


@pytest.fixture(scope='module')
def detector(tmp_path_factory):
    config, _ = write(tmp_path_factory.mktemp('detector'), 'eca')
    return build(config)


@needs_torchvision
def test_map_is_relu_of_gradient_times_feature_of_the_second_stage(detector):
    data = image()
    found, maps = activation_maps(detector, data, 2, 'GradCAMElementWise')
    batch = detector.data_preprocessor(pseudo_collate([data]), False)
    with torch.no_grad():
        features = detector.extract_feat(batch['inputs'])
        samples = batch['data_samples']
        (proposals,) = detector.rpn_head.predict(features, samples, rescale=False)
    features = [feature.requires_grad_() for feature in features]
    rois = bbox2roi([proposals.bboxes])
    scores = detector.roi_head._bbox_forward(features, rois)['cls_score'].softmax(1)
    for index, (heat, level, _) in enumerate(maps):
        of_class = scores[:, found.labels[index]]
        roi = (of_class - float(found.scores[index])).abs().argmin()
        score = of_class[roi]
        assert score.item() == pytest.approx(float(found.scores[index]), abs=1e-5)
        gradients = torch.autograd.grad(
            score.log() - (1 - score).log(),
            features,
            retain_graph=True,
            allow_unused=True,
        )
        read = [g is not None and bool(g.any()) for g in gradients]
        assert [i for i, has_gradient in enumerate(read) if has_gradient] == [level]
        expected = (gradients[level] * features[level]).relu().sum(1)[0].detach()
        expected = cv2.resize((expected / expected.max()).numpy(), SIZE[::-1])
        expected = cv2.resize(expected, (2 * SIZE[1], 2 * SIZE[0]))
        np.testing.assert_allclose(heat, expected / expected.max(), atol=2e-3)
        # The head has read nothing outside of its proposal and the cells beside it.
        x1, y1, x2, y2 = (2 * rois[roi, 1:]).round().int().clamp(min=0).tolist()
        margin = 2 * 2 * 4 * 2**level
        assert _outside(heat, (x1, y1, x2, y2), margin) < 1e-3


@needs_torchvision
def test_maps_of_a_detector_with_one_stage_are_drawn(tmp_path):
    config, _ = write(tmp_path, 'retinanet', 'retinanet')
    model = build(config)
    data = image()
    with torch.no_grad():
        sample = model.test_step(pseudo_collate([image()]))[0]
    found, maps = activation_maps(model, data, 2, METHODS[0])
    np.testing.assert_allclose(found.scores, sample.pred_instances.scores, atol=1e-5)
    assert all(heat.max() == 1 for heat, _, _ in maps)
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), np.full((2 * SIZE[0], 2 * SIZE[1], 3), 127, np.uint8))
    out = tmp_path / 'maps.png'
    draw_activation_maps(str(path), found, maps, CLASSES, METHODS[0], str(out))
    # The map is bright where the grey image was.
    assert (np.ptp(cv2.imread(str(out)).astype(int), axis=2) > 60).mean() > 0.01


@needs_torchvision
def test_scores_without_gradient_are_said():
    class Rounded(Toy):
        def predict(self, inputs, samples):
            (sample,) = super().predict(inputs, samples)
            sample.pred_instances.scores = sample.pred_instances.scores.detach()
            return [sample]

    with pytest.raises(UserError, match='scores of this Rounded have no gradient'):
        activation_maps(Rounded(), image(), 1, METHODS[0])


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'pytorch_grad_cam', None)
    with pytest.raises(UserError, match=r'pip install grad-cam torch==\d'):
        activation_maps(Toy(), image(), 1, METHODS[0])
