"""A validation set evaluated with its own annotations as detections: the AP is 1."""

import contextlib
import copy
import io
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pycocotools.mask as mask_utils
import torch
from mmdet.evaluation import CocoMetric
from mmdet.registry import DATASETS, METRICS
from mmengine.logging import MMLogger

from ..errors import UserError, first_few
from ..training.config import innermost_datasets
from .coco_file import CocoFile, read_coco_file
from .objects import crowded_images

_QUICK = 100  # images before each run


def check_evaluation(loader: str, dataset: dict, evaluator: Any) -> None:
    """Checks that an evaluator measures what the data loader shows.

    The evaluator must have the images of the loader, no more and no fewer. The
    annotations of up to 100 images, given to it as detections, must have an AP of 1.
    Evaluators other than ``CocoMetric`` and its subclasses are left alone.

    Args:
        loader (str): 'val' or 'test'.
        dataset (dict): Config of the loader's data set, in wrappers or not.
        evaluator (dict | list[dict]): Config of the evaluator.

    Raises:
        UserError: If the images differ, the evaluator fails or the AP is not 1.
    """
    sets = [(read_of(inner), inner) for inner in innermost_datasets(dataset)]
    for metric in evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]:
        name = metric['type']
        metric_class = METRICS.get(name) if isinstance(name, str) else name
        ann_file = metric.get('ann_file')
        if not issubclass(metric_class, CocoMetric) or metric.get('format_only'):
            continue
        if ann_file is not None:
            _check_same_images(loader, sets, ann_file)
        for data, inner in sets:
            if problem := find_problem(data, inner, metric, _QUICK):
                raise UserError(
                    f'{data.path}: its annotations as detections in '
                    f'{loader}_evaluator, {name} of {ann_file}, {problem}: correct '
                    f'{loader}_evaluator.ann_file or the annotations'
                )


def find_problem(data: CocoFile, dataset: dict, metric: dict, most: int) -> str:
    """Evaluates a data set with its own annotations as detections.

    Images are left out where the AP cannot be 1 for a reason that is reported
    elsewhere: an object that MMDetection drops, an object with the id 0, a mask
    without a pixel, more objects of a class than count.

    Args:
        data (CocoFile): The annotation file of the data set.
        dataset (dict): Config of a ``CocoDataset``.
        metric (dict): Config of a ``CocoMetric``.
        most (int): Number of images, evenly spread, that are evaluated.

    Returns:
        str: What went wrong; '' if each AP is 1.
    """
    ids = _evaluable_images(data)
    if len(ids) > most:
        places = np.linspace(0, len(ids) - 1, most).round().astype(int)
        ids = [ids[i] for i in places]
    try:
        with _quiet():
            built = DATASETS.build(dict(_plain(dataset), pipeline=[]))
            evaluated = METRICS.build(_plain(metric))
            evaluated.dataset_meta = built.metainfo
            evaluated.metric_items = ['mAP']
            has_masks = 'segm' in evaluated.metrics
            if has_masks and not data.has_masks:
                return 'lack masks, which the metric "segm" compares'
            wanted, shown = set(ids), []
            for i in range(len(built)):
                info = built.get_data_info(i)
                if info['img_id'] not in wanted:
                    continue
                if sample := _as_detections(info, has_masks):
                    evaluated.process({}, [sample])
                    shown.append(info['img_id'])
            if not shown:
                return ''
            evaluated.img_ids = shown
            figures = evaluated.compute_metrics(evaluated.results)
    except Exception as error:  # whatever a metric cannot digest
        return f'end with {type(error).__name__}: {error}'
    wrong = [
        f'{name} {figures[name]:g}'
        for name in (f'{kind}_mAP' for kind in evaluated.metrics)
        if figures.get(name, 1) != 1
    ]
    return f'have {" and ".join(wrong)}, not 1' if wrong else ''


def read_of(dataset: dict) -> CocoFile:
    """Reads the annotation file of a data set's config, which may have no objects."""
    path = DATASETS.build(dict(_plain(dataset), pipeline=[], lazy_init=True)).ann_file
    return read_coco_file(path, needs_objects=False)


def _check_same_images(
    loader: str, sets: Sequence[tuple[CocoFile, dict]], ann_file: str
) -> None:
    names = [data.path for data, _ in sets]
    shown = {value for data, _ in sets for value in data.image_ids}
    if [ann_file] != names:
        evaluated = set(read_coco_file(ann_file, needs_objects=False).image_ids)
        if evaluated != shown:
            raise UserError(
                f'{loader}_evaluator.ann_file {ann_file} has {len(evaluated):,} '
                f'images, {loader}_dataloader shows {len(shown):,} of '
                f'{first_few(names)}, with other ids: both need the same annotations'
            )
    for data, dataset in sets:
        if (indices := dataset.get('indices')) is not None:
            raise UserError(
                f'{loader}_dataloader.dataset.indices={indices} shows a part of '
                f'{data.path}, but the evaluator counts all its objects: write the '
                'part into an annotation file of its own'
            )


def _evaluable_images(data: CocoFile) -> list:
    """Ids of images with objects that all can be found."""
    usable = data.is_used & np.array([value != 0 for value in data.ids], bool)
    bad = set(data.images[~usable & ~data.is_crowd].tolist()) | crowded_images(data)
    good = set(data.images[usable].tolist()) - bad
    return [data.image_ids[i] for i in sorted(good)]


def _as_detections(info: dict, has_masks: bool) -> dict | None:
    """Returns an image's objects as a detector's output; None if a mask is empty."""
    objects = [one for one in info['instances'] if not one['ignore_flag']]
    size = info['height'], info['width']
    found: dict[str, Any] = dict(
        bboxes=torch.tensor([one['bbox'] for one in objects], device='cpu'),
        labels=torch.tensor([one['bbox_label'] for one in objects], device='cpu'),
        scores=torch.ones(len(objects), device='cpu'),
    )
    if has_masks:
        masks = [_encode(one['mask'], *map(int, size)) for one in objects]
        if not all(map(mask_utils.area, masks)):
            return None
        found['masks'] = masks
    return dict(
        img_id=info['img_id'],
        ori_shape=size,
        pred_instances=found,
        instances=info['instances'],
    )


def _encode(mask: list | dict, height: int, width: int) -> dict:
    """RLE of a segmentation, as ``pycocotools.coco.COCO.annToRLE`` makes it."""
    if isinstance(mask, list):
        return mask_utils.merge(mask_utils.frPyObjects(mask, height, width))
    if isinstance(mask['counts'], list):
        return mask_utils.frPyObjects(mask, height, width)
    return dict(mask)


def _plain(config: dict) -> dict:
    """Copies a config into plain dicts and lists."""
    return config.to_dict() if hasattr(config, 'to_dict') else copy.deepcopy(config)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides what pycocotools prints and mmengine logs."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('CRITICAL')
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)
