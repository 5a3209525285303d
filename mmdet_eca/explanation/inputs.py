"""The images that a detector is asked about, and what it finds in them.

Objects, detected or annotated, are MMDetection's ``InstanceData`` as arrays: ``bboxes``
(n, 4), x1, y1, x2, y2 in pixels of the image file, ``labels`` and ``scores``, which
are in descending order, or ones if annotated.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.models.detectors import BaseDetector
from mmdet.registry import DATASETS
from mmdet.structures.bbox import get_box_tensor
from mmdet.utils import get_test_pipeline_cfg
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData

from ..errors import UserError
from ..training.config import innermost_datasets


@dataclass
class Input:
    """An image as a detector takes it.

    Attributes:
        path (str): The file.
        data (dict): What the test pipeline has made of it.
        truth (InstanceData, optional): The annotated objects; None if nothing is known.
        ignored (np.ndarray): Boxes of regions in which a detection is neither right
            nor wrong, such as crowds, shape (m, 4).
    """

    path: str
    data: dict
    truth: InstanceData | None = None
    ignored: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))


class Inputs:
    """Images in a row, each of which is read when its turn comes.

    Args:
        read (Callable): Gives the image that belongs to a place.
        places (Sequence): Of the images: paths, or indices in a data set.
    """

    def __init__(self, read: Callable[[Any], Input], places: Sequence[Any]) -> None:
        self.read = read
        self.places = places

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.places)

    def __iter__(self) -> Iterator[Input]:
        """Reads one after the other."""
        return map(self.read, self.places)


def read_images(detector: BaseDetector, paths: Sequence[str]) -> Inputs:
    """Images of which nothing is known, by a detector's test pipeline."""
    pipeline = Compose(get_test_pipeline_cfg(detector.cfg))
    return Inputs(
        lambda path: Input(path, pipeline(dict(img_path=path, img_id=0))), paths
    )


def read_dataset(detector: BaseDetector, max_images: int) -> Inputs:
    """The first images of the data set for tests in a detector's config.

    Raises:
        UserError: If the config has no such data set, or it has no images.
    """
    loader = detector.cfg.get('test_dataloader')
    if loader is None:
        raise UserError('--data: the config has no test_dataloader; name images')
    configs = innermost_datasets(loader.dataset)
    try:
        datasets = [DATASETS.build(dict(config, test_mode=True)) for config in configs]
    except FileNotFoundError as error:
        raise UserError(
            f'--data: {error.filename} does not exist: put the data set there, or set '
            "data_root in the config's test_dataloader"
        ) from None
    places = [(dataset, index) for dataset in datasets for index in range(len(dataset))]
    if not places:
        raise UserError("--data: the config's data set for tests has no images")
    return Inputs(_annotated, places[:max_images])


def _annotated(place: tuple[Any, int]) -> Input:
    dataset, index = place
    try:
        data = dataset[index]
    except FileNotFoundError as error:
        raise UserError(f'--data: image {error.filename} does not exist') from None
    sample = data['data_samples']
    scale = np.tile(sample.metainfo.get('scale_factor', (1.0, 1.0)), 2)
    annotated = Input(sample.img_path, data)
    if 'bboxes' in sample.get('gt_instances', ()):
        annotated.truth = as_arrays(sample.gt_instances, scale)
    if 'bboxes' in sample.get('ignored_instances', ()):
        annotated.ignored = as_arrays(sample.ignored_instances, scale).bboxes
    return annotated


@torch.no_grad()
def detect(detector: BaseDetector, data: dict) -> InstanceData:
    """What a detector finds in an image, in descending order of scores.

    Raises:
        UserError: If it predicts no boxes.
    """
    sample = detector.test_step(pseudo_collate([data]))[0]
    return found_in(sample.pred_instances)


def found_in(instances: InstanceData) -> InstanceData:
    """Predicted instances as arrays, whose order is kept.

    Raises:
        UserError: If there are no boxes.
    """
    if 'bboxes' not in instances or 'scores' not in instances:
        raise UserError(
            'this detector predicts no boxes with scores, which is what can be shown'
        )
    return as_arrays(instances)


def as_arrays(instances: InstanceData, scale: Any = 1) -> InstanceData:
    """Boxes, divided by ``scale``, labels and scores of instances as arrays."""
    bboxes = get_box_tensor(instances.bboxes)
    scores = instances.get('scores', torch.ones(len(bboxes)))
    arrays = InstanceData(bboxes=bboxes, labels=instances.labels, scores=scores)
    arrays = arrays.numpy()
    arrays.bboxes = arrays.bboxes / scale
    return arrays
