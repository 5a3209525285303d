import json

import cv2
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmdet_eca import config_path
from mmdet_eca.visualization import draw_curves, draw_predictions


class Oracle(torch.nn.Module):
    """Predicts the truth of each image, as a detector would return it."""

    def test_step(self, batch):
        sample = batch['data_samples'][0]
        truth = sample.gt_instances
        sample.pred_instances = truth.new(
            bboxes=truth.bboxes.tensor,
            labels=truth.labels,
            scores=torch.ones(len(truth)),
            masks=torch.from_numpy(truth.masks.to_ndarray()).bool(),
        )
        return [sample]


def test_predictions_stand_beside_the_truth(digits, tmp_path):
    cfg = Config.fromfile(config_path('digits/mask_rcnn_eca_r50_digits.py'))
    cfg.val_dataloader.dataset.data_root = digits
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
    path = tmp_path / 'predictions.png'
    draw_predictions(Oracle(), dataset, str(path), indices=range(4), columns=2)
    picture = cv2.imread(str(path))
    frame = (160 * 3 + 8, 240 * 3 + 8)  # an image, enlarged, with its margin
    assert picture.shape == (frame[0] * 2, frame[1] * 4, 3)
    # A perfect detector's pictures are those of the truth.
    image = cv2.imread(dataset[0]['data_samples'].img_path)
    image = cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    truth = picture[4:484, 4:724]
    predicted = picture[4:484, 732:1452]
    changed = (abs(truth.astype(int) - image) > 8).any(axis=2)
    differing = (abs(truth.astype(int) - predicted) > 8).any(axis=2)
    assert changed.mean() > 0.01
    assert not differing.any()


def test_nothing_found_is_drawn_too(digits, tmp_path):
    cfg = Config.fromfile(config_path('digits/mask_rcnn_eca_r50_digits.py'))
    cfg.val_dataloader.dataset.data_root = digits
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
        model = MODELS.build(cfg.model).eval()
    path = tmp_path / 'predictions.png'
    draw_predictions(model, dataset, str(path), indices=[0], columns=1, score_thr=1)
    assert cv2.imread(str(path)).shape == (160 * 3 + 8, 2 * (240 * 3 + 8), 3)


def test_curves_of_a_resumed_run(tmp_path):
    first = [
        dict(loss=2.0, loss_cls=1.5, iter=10),
        dict(loss=1.0, loss_cls=0.5, iter=20),
        {'coco/bbox_mAP': 0.1, 'coco/bbox_mAP_50': 0.2, 'step': 1},
    ]
    second = [
        dict(loss=0.5, loss_cls=0.2, iter=30),
        {'coco/bbox_mAP': 0.4, 'coco/bbox_mAP_50': 0.6, 'step': 2},
    ]
    files = []
    for name, rows in (('a', first), ('b', second)):
        files.append(str(tmp_path / name))
        with open(files[-1], 'w') as file:
            file.writelines(json.dumps(row) + '\n' for row in rows)
    path = tmp_path / 'curves.png'
    draw_curves(files, str(path))
    assert cv2.imread(str(path)).shape == (540, 1440, 3)
