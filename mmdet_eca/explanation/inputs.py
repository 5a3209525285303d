"""The images that a detector is asked about, and what it finds in them.

Objects, detected or annotated, are MMDetection's ``InstanceData`` as arrays: ``bboxes``
(n, 4), x1, y1, x2, y2 in pixels of the image file, ``labels`` and ``scores``, which
are in descending order, or ones if annotated.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.models.detectors import BaseDetector
from mmdet.registry import DATASETS
from mmdet.structures.bbox import get_box_tensor
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from tqdm import tqdm

from ..errors import UserError
from ..training.config import innermost_datasets


@dataclass
class Input:
    """An image as a detector takes it.

    Attributes:
        path (str): The file.
        data (dict): The result of the test pipeline.
        truth (InstanceData, optional): The annotated objects; None if nothing is known.
        ignored (np.ndarray): Boxes of regions in which a detection is neither right
            nor wrong, such as crowds, shape (m, 4).
    """

    path: str
    data: dict
    truth: InstanceData | None = None
    ignored: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))


def read_images(detector: BaseDetector, paths: Sequence[str]) -> Iterator[Input]:
    """Reads images without annotations by a detector's test pipeline.

    Raises:
        UserError: If its config has no data set for tests or validation.
    """
    (dataset, *_) = _test_datasets(detector.cfg)
    pipeline = Compose(dataset.pipeline)
    return (
        Input(path, pipeline(dict(img_path=path, img_id=0)))
        for path in _with_progress(paths)
    )


def read_dataset(detector: BaseDetector, max_images: int) -> Iterator[Input]:
    """Reads the first images of the data set for tests in a detector's config.

    Raises:
        UserError: If the config has no such data set, or it has no images.
    """
    configs = _test_datasets(detector.cfg)
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
    return map(_annotated, _with_progress(places[:max_images]))


def _with_progress(places: Sequence) -> Iterable:
    return tqdm(places, 'images', unit='image', disable=len(places) < 2)


def _test_datasets(cfg: Config) -> list[Config]:
    """Returns the data sets for tests; where the config has none, for validation."""
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader')
    if loader is None:
        raise UserError(
            'the config has no test_dataloader, whose pipeline prepares the images'
        )
    return list(innermost_datasets(loader.dataset))


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
        annotated.truth = _as_arrays(sample.gt_instances, scale)
    if 'bboxes' in sample.get('ignored_instances', ()):
        annotated.ignored = _as_arrays(sample.ignored_instances, scale).bboxes
    return annotated


@torch.no_grad()
def detect(detector: BaseDetector, data: dict) -> InstanceData:
    """Detects the objects in an image, in descending order of scores.

    Raises:
        UserError: If the detector predicts no boxes.
    """
    return found_in(detector.test_step(pseudo_collate([data]))[0].pred_instances)


def found_in(instances: InstanceData) -> InstanceData:
    """Returns predicted instances as arrays, in the same order.

    Raises:
        UserError: If there are no boxes.
    """
    if 'bboxes' not in instances or 'scores' not in instances:
        raise UserError(
            'this detector predicts no boxes with scores, which is what can be shown'
        )
    return _as_arrays(instances)


def _as_arrays(instances: InstanceData, scale: Any = 1) -> InstanceData:
    """Returns boxes, divided by ``scale``, labels and scores as arrays."""
    bboxes = get_box_tensor(instances.bboxes)
    scores = instances.get('scores', torch.ones(len(bboxes)))
    arrays = InstanceData(bboxes=bboxes, labels=instances.labels, scores=scores).numpy()
    arrays.bboxes = arrays.bboxes / scale
    return arrays
