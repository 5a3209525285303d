"""COCO's evaluation by pycocotools and by faster-coco-eval, side by side."""

import io
import json
import os
import os.path as osp
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import numpy as np
import pycocotools.mask as mask_util
import torch
from mmdet.evaluation import CocoMetric
from mmdet.structures.mask import encode_mask_results
from mmengine.logging import MMLogger
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tqdm import tqdm

from ..errors import UserError
from ..evaluation import FastCOCOeval, FastCocoMetric
from ..evaluation.fast_cocoeval import faster_coco_eval
from ..evaluation.masks import encode_masks
from ..visualization import text_table
from .evaluation_data import random_data_set, random_detections
from .measuring import seconds, spread, write_markdown

HEADER = ['', 'pycocotools', 'faster-coco-eval', 'ratio']
# Masks that are encoded in a round: of so many images.
ENCODED = 5
Results = list[tuple[dict, dict]]


def benchmark_evaluation(
    num_images: int, num_classes: int, per_image: int, rounds: int, out: str
) -> str:
    """Evaluates random detections both ways, round after round.

    Args:
        num_images (int): Images, of COCO's sizes and numbers of objects.
        num_classes (int): Classes.
        per_image (int): Detections an image, boxes and masks.
        rounds (int): Of each way.
        out (str): Folder for ``evaluation.md``.

    Returns:
        str: The table. Times are medians; ratios are medians of the rounds' ratios,
        with the smallest and the largest. The whole begins with reading the
        annotation file. Evaluation alone has both sets in memory.

    Raises:
        UserError: If faster-coco-eval is not installed, or a figure differs.
    """
    faster_coco_eval()  # missing: before a minute of drawing
    data, objects = random_data_set(num_images, num_classes)
    results = random_detections(data, objects, per_image)
    rows = [HEADER]
    with tempfile.TemporaryDirectory() as folder:
        path = osp.join(folder, 'annotations.json')
        with open(path, 'w') as file:
            json.dump(data, file)
        kinds = [
            (name, kind, metric)
            for name, kind in (('whole, {}', _Whole), ('evaluation alone, {}', _Alone))
            for metric in ('bbox', 'segm')
        ]
        progress = tqdm(total=2 * rounds * len(kinds), desc='Evaluating')
        for name, kind, metric in kinds:
            times, figures = [], []
            for _ in range(rounds):
                for fast in (False, True):
                    run = kind(path, data, results, metric, fast)
                    with _quiet():
                        times.append(seconds(run))
                    figures.append(run.figures)
                    progress.update()
            if any(found != figures[0] for found in figures):
                raise UserError(f'{metric}: faster-coco-eval gives other figures')
            label = name.format('boxes' if metric == 'bbox' else 'masks')
            rows.append(_row(label, times))
        progress.close()
    rows.append(_row('encoding masks, an image', _encoding_times(results, rounds)))
    os.makedirs(out, exist_ok=True)
    write_markdown(osp.join(out, 'evaluation.md'), rows, torch.device('cpu'))
    return text_table(rows)


class _Whole:
    """From the annotation file and the kept detections to the figures."""

    def __init__(
        self, path: str, data: dict, results: Results, metric: str, fast: bool
    ) -> None:
        self.kind = FastCocoMetric if fast else CocoMetric
        self.options: dict[str, Any] = dict(ann_file=path, metric=metric)
        self.classes = [category['name'] for category in data['categories']]
        self.results = _copies(results, with_masks=metric == 'segm')

    def __call__(self) -> None:
        metric = self.kind(**self.options)
        metric.dataset_meta = dict(classes=self.classes)
        self.figures = metric.compute_metrics(self.results)


class _Alone:
    """From the two sets in memory to the figures."""

    def __init__(
        self, path: str, data: dict, results: Results, metric: str, fast: bool
    ) -> None:
        found = [
            _in_coco_format(result, i, metric)
            for _, result in results
            for i in range(len(result['scores']))
        ]
        with _quiet():
            truth = COCO(path)
            self.evaluation = (FastCOCOeval if fast else COCOeval)(
                truth, truth.loadRes(found), metric
            )

    def __call__(self) -> None:
        self.evaluation.params.maxDets = [100, 300, 1000]  # CocoMetric's
        self.evaluation.evaluate()
        self.evaluation.accumulate()
        self.evaluation.summarize()
        self.figures = [f'{figure:.12f}' for figure in self.evaluation.stats]


def _in_coco_format(result: dict[str, Any], i: int, metric: str) -> dict[str, Any]:
    """One detection as in a file of results."""
    found = dict(
        image_id=result['img_id'],
        category_id=int(result['labels'][i]) + 1,
        score=float(result['scores'][i]),
    )
    if metric == 'segm':
        found['segmentation'] = dict(result['masks'][i])
    else:
        x1, y1, x2, y2 = result['bboxes'][i].tolist()
        found['bbox'] = [x1, y1, x2 - x1, y2 - y1]
    return found


def _copies(results: Results, with_masks: bool) -> Results:
    """The same results, since a metric writes into them."""
    copies = []
    for image, result in results:
        result = dict(result)
        masks = result.pop('masks')
        if with_masks:
            result['masks'] = [dict(mask) for mask in masks]
        copies.append((image, result))
    return copies


def _encoding_times(results: Results, rounds: int) -> list[float]:
    """What `CocoMetric.process` does with the masks of an image, both ways in turn."""
    times = []
    for _ in range(rounds):
        ways: tuple[Callable, Callable] = (encode_mask_results, encode_masks)
        for _, result in results[:ENCODED]:
            pixels = mask_util.decode(result['masks']).transpose(2, 0, 1)
            masks = np.ascontiguousarray(pixels).astype(bool)
            times += [seconds(lambda way=way, m=masks: way(m)) for way in ways]
    return times


@contextmanager
def _quiet() -> Iterator[None]:
    """What the metrics print and log would break the progress bar."""
    logger = MMLogger.get_current_instance()
    disabled, logger.disabled = logger.disabled, True
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.disabled = disabled


def _row(label: str, times: list[float]) -> list[str]:
    """Times of both ways, in turn."""
    slow, fast = times[::2], times[1::2]
    cells = [f'{statistics.median(column):.3g} s' for column in (slow, fast)]
    return [label, *cells, spread([b / a for a, b in zip(slow, fast)])]
