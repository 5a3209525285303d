from collections.abc import Sequence

import mmcv
import numpy as np
import torch
import torch.nn.functional as F
from mmdet.datasets import BaseDetDataset
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmdet.visualization import DetLocalVisualizer
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData


def draw_predictions(
    model: BaseDetector,
    dataset: BaseDetDataset,
    out_file: str,
    indices: Sequence[int] = range(6),
    columns: int = 2,
    zoom: int = 3,
    score_thr: float = 0.5,
) -> None:
    """Writes a grid of images, ground truth on the left, predictions right.

    Args:
        model (BaseDetector): The detector.
        dataset (BaseDetDataset): Images with annotations, test pipeline.
        out_file (str): The picture to write.
        indices (Sequence[int]): Of the images in the data set.
        columns (int): Pairs of pictures side by side.
        zoom (int): Enlargement of the images, for legible labels.
        score_thr (float): Lowest score of a prediction that is drawn.
    """
    visualizer = DetLocalVisualizer(alpha=0.5)
    visualizer.dataset_meta = dataset.metainfo
    pairs = []
    for index in indices:
        with torch.no_grad():
            sample = model.test_step(pseudo_collate([dataset[index]]))[0].cpu()
        image = mmcv.imread(sample.img_path, channel_order='rgb')
        image = mmcv.imrescale(image, float(zoom), interpolation='bicubic')
        found = sample.pred_instances
        for name, instances in (
            ('truth', sample.gt_instances),
            ('predicted', found[found.scores > score_thr]),
        ):
            drawn = DetDataSample(
                pred_instances=_enlarge(instances, image.shape[:2], zoom)
            )
            visualizer.add_datasample(
                name, image, drawn, draw_gt=False, pred_score_thr=0
            )
            pairs.append(_frame(visualizer.get_image()))
    per_row = 2 * columns
    rows = [
        np.hstack(pairs[start : start + per_row])
        for start in range(0, len(pairs), per_row)
    ]
    mmcv.imwrite(mmcv.rgb2bgr(np.vstack(rows)), out_file)


def _enlarge(instances: InstanceData, shape: Sequence[int], zoom: int) -> InstanceData:
    """The instances on an image enlarged by ``zoom`` to ``shape`` (H, W)."""
    bboxes = instances.bboxes
    scaled = InstanceData(
        bboxes=getattr(bboxes, 'tensor', bboxes) * zoom, labels=instances.labels
    )
    # The annotations have no scores; the visualizer wants them for its threshold.
    scaled.scores = instances.get('scores', torch.ones(len(bboxes)))
    if 'masks' in instances and len(instances):
        masks = instances.masks
        if isinstance(masks, (BitmapMasks, PolygonMasks)):
            scaled.masks = torch.from_numpy(
                masks.resize(tuple(shape)).to_ndarray()
            ).bool()
        else:
            scaled.masks = F.interpolate(masks[None].float(), size=tuple(shape))[
                0
            ].bool()
    return scaled


def _frame(image: np.ndarray) -> np.ndarray:
    return mmcv.impad(image, padding=4, pad_val=(255, 255, 255))
