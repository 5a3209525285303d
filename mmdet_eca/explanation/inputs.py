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
    annotated = Input(data['data_samples'].img_path, data)
    # In pixels of the image as it is, whatever its pipeline does in which order.
    instances = dataset.get_data_info(index).get('instances')
    if instances is not None:
        objects = [one for one in instances if not one.get('ignore_flag')]
        annotated.truth = InstanceData(
            bboxes=_boxes(objects),
            labels=np.array([one['bbox_label'] for one in objects], np.int64),
            scores=np.ones(len(objects), np.float32),
        )
        annotated.ignored = _boxes([one for one in instances if one.get('ignore_flag')])
    return annotated


def _boxes(objects: list[dict]) -> np.ndarray:
    """Returns x1, y1, x2, y2 of each annotated object, shape (K, 4)."""
    return np.array([one['bbox'] for one in objects], np.float32).reshape(-1, 4)


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
    return InstanceData(
        bboxes=get_box_tensor(instances.bboxes),
        labels=instances.labels,
        scores=instances.scores,
    ).numpy()
