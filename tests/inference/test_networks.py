"""Real networks: the results are those of the test loop, in half precision nearly."""

import pickle

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from pycocotools import mask as mask_util

from mmdet_eca.inference import predict
from mmdet_eca.inference.inferencer import Inferencer
from tests.conftest import ROOT
from tests.inference.test_predict import read
from tests.tools.in_process import call

CONFIG = """
_base_ = '{root}/configs/digits/mask_rcnn_eca_r50_digits.py'
test_dataloader = dict(num_workers=0, persistent_workers=False,
                       dataset=dict(data_root='{digits}/'))
test_evaluator = dict(ann_file='{digits}/annotations/instances_val.json')
"""


@pytest.fixture(scope='module')
def detector(digits, tmp_path_factory):
    """Config and checkpoint of the demo's Mask R-CNN; it is not trained."""
    folder = tmp_path_factory.mktemp('detector')
    config, checkpoint = folder / 'config.py', folder / 'weights.pth'
    config.write_text(CONFIG.format(root=ROOT, digits=digits))
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return str(config), str(checkpoint)


def test_the_detections_are_those_of_the_test_loop(detector, digits, tmp_path):
    pickled = tmp_path / 'test.pkl'
    options = ['--work-dir', tmp_path / 'work_dir', '--out', pickled]
    call('test', *detector, *options)
    call('predict', *detector, f'{digits}/val', '--out', tmp_path / 'out', '--no-vis')
    found = read(tmp_path / 'out' / 'predictions.json')
    for sample in pickle.loads(pickled.read_bytes()):
        instances = sample['pred_instances']
        of_image = [d for d in found if d['image_id'] == sample['img_id']]
        assert len(of_image) == len(instances['scores']) > 0
        corners = instances['bboxes'].numpy()
        corners[:, 2:] -= corners[:, :2]
        # a batch of 8 against single images
        near = dict(atol=1e-3, rtol=1e-4)
        np.testing.assert_allclose([d['bbox'] for d in of_image], corners, **near)
        np.testing.assert_allclose(
            [d['score'] for d in of_image], instances['scores'], atol=1e-5
        )
        # the digits' ids begin with 1
        labels = [d['category_id'] - 1 for d in of_image]
        assert labels == instances['labels'].tolist()
        masks = [d['segmentation'] for d in of_image]
        overlaps = [
            mask_util.iou([mine], [theirs], [0])[0, 0]
            for mine, theirs in zip(masks, instances['masks'])
            if mask_util.area(theirs)
        ]
        assert min(overlaps, default=1) > 0.98


def test_on_a_cpu_the_maps_are_channels_last(detector, digits):
    inferencer = Inferencer(*detector, 'cpu')
    seen = []
    for name in ('backbone', 'neck', 'roi_head.bbox_roi_extractor.roi_layers.0'):
        inferencer.model.get_submodule(name).register_forward_hook(
            lambda module, args, output: seen.append(
                output if isinstance(output, torch.Tensor) else output[0]
            )
        )
    inferencer.detect(
        [inferencer.pipeline(inferencer.read(f'{digits}/val/000001.jpg'))]
    )
    assert len(seen) == 3
    for map_ in seen:
        assert map_.is_contiguous(memory_format=torch.channels_last)


def test_half_precision_gives_nearly_the_same(detector, digits):
    plain = Inferencer(*detector, 'cpu')
    mixed = Inferencer(*detector, 'cpu', amp=True)
    inputs = plain.pipeline(plain.read(f'{digits}/val/000001.jpg'))
    seen = []
    for name in ('backbone.layer1.0.conv2', 'roi_head.mask_head.conv_logits'):
        mixed.model.get_submodule(name).register_forward_hook(
            lambda module, args, output: seen.append(output.dtype)
        )
    instances = mixed.detect([inputs])[0].pred_instances
    assert set(seen) == {torch.bfloat16}
    assert instances.bboxes.dtype == instances.scores.dtype == torch.float32
    assert instances.masks.shape[1:] == (160, 240)
    data = plain.model.data_preprocessor(plain.collate_fn([inputs]))
    with torch.no_grad():
        expected, given = (i.model.extract_feat(data['inputs']) for i in (plain, mixed))
    for one, other in zip(expected, given):
        assert other.dtype == torch.float32
        # 8 bits, through 53 layers
        assert (one - other).norm() < 0.05 * one.norm()


def test_parts_with_mmcvs_operators_stay_in_single_precision(detector, tmp_path):
    config, checkpoint = tmp_path / 'dcn.py', tmp_path / 'dcn.pth'
    config.write_text(
        f"_base_ = '{detector[0]}'\n"
        "model = dict(backbone=dict(dcn=dict(type='DCN', deform_groups=1), "
        'stage_with_dcn=(False, True, True, True)))'
    )
    model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    inferencer = Inferencer(str(config), str(checkpoint), 'cpu', amp=True)
    assert 'forward' not in vars(inferencer.model.backbone)
    assert 'forward' in vars(inferencer.model.neck)
    image = np.zeros((64, 64, 3), np.uint8)
    assert inferencer.detect([inferencer.pipeline(image)])


def test_amp_of_the_function(detector, digits, tmp_path):
    image = f'{digits}/val/000001.jpg'
    said = predict(*detector, image, str(tmp_path / 'out'), amp=True, device='cpu')
    assert 'in 1 image;' in said
    assert (tmp_path / 'out' / 'vis' / '000001.jpg').exists()
