from collections.abc import Sequence

import mmcv
import numpy as np
import torch
from mmdet.datasets import BaseDetDataset
from mmdet.models.detectors import BaseDetector
from mmdet.structures.bbox import get_box_tensor
from mmdet.structures.mask import encode_mask_results
from mmdet.visualization.palette import get_palette
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData

from .detections import draw_detections


def draw_predictions(
    model: BaseDetector,
    dataset: BaseDetDataset,
    out_file: str,
    indices: Sequence[int] = range(4),
    columns: int = 1,
    score_thr: float = 0.5,
) -> None:
    """Writes a grid of images, ground truth on the left, predictions right.

    Args:
        model (BaseDetector): The detector.
        dataset (BaseDetDataset): Images of one size with annotations, test pipeline.
        out_file (str): The picture to write.
        indices (Sequence[int]): Indices of the images in the data set.
        columns (int): Pairs of pictures side by side.
        score_thr (float): Lowest score of a prediction that is drawn.
    """
    classes = dataset.metainfo['classes']
    colors = get_palette(dataset.metainfo.get('palette', 'random'), len(classes))
    pairs = []
    for index in indices:
        with torch.no_grad():
            sample = model.test_step(pseudo_collate([dataset[index]]))[0].cpu()
        image = mmcv.imread(sample.img_path)
        for instances in (sample.gt_instances, sample.pred_instances):
            found = _as_lists(instances)
            drawn = draw_detections(image, found, classes, colors, score_thr)
            pairs.append(mmcv.impad(drawn, padding=4, pad_val=(255, 255, 255)))
    rows = [
        np.hstack(pairs[start : start + 2 * columns])
        for start in range(0, len(pairs), 2 * columns)
    ]
    mmcv.imwrite(np.vstack(rows), out_file)


def _as_lists(instances: InstanceData) -> dict:
    """Returns objects as MMDetection's inferencer does; annotated ones score 1."""
    bboxes = get_box_tensor(instances.bboxes)
    scores = instances.get('scores', torch.ones(len(bboxes)))
    found = dict(
        bboxes=bboxes.tolist(), scores=scores.tolist(), labels=instances.labels.tolist()
    )
    if 'masks' in instances:
        masks = instances.masks
        pixels = masks.numpy() if torch.is_tensor(masks) else masks.to_ndarray()
        found['masks'] = encode_mask_results(pixels)
    return found
