"""What a training costs in GPU hours: estimated, and by the speed of the runs."""

from collections.abc import Collection
from functools import cache
from statistics import median
from typing import NamedTuple

from mmengine.config import Config

from ..engine import config_path
from .experiments import Experiment
from .paper_rows import ClassifierRow, load_classifier_rows, table_5_rows
from .runs import Run

COCO_IMAGES, COCO_EPOCHS = 117266, 12  # of train2017 those with annotations
COCO_VAL_IMAGES = 5000
IMAGENET_IMAGES = 1281167
# Seconds a training step of 2 images a GPU with ResNet-50, on a V100:
# MMDetection 2.0's docs/MODEL_ZOO.md, "Training Speed".
V100_STEP = dict(faster_rcnn=0.216, mask_rcnn=0.265, retinanet=0.205)
PAPER_GPUS = 4  # RTX 2080 Ti, on which Table 3's speeds are measured
DETECTOR_BASIS = (
    "V100s as in MMDetection 2.0's model zoo, scaled by GFLOPs and by the speed of "
    'the runs that are there'
)
CLASSIFIER_BASIS = (
    f'epochs x {IMAGENET_IMAGES:,} images at the training speed of Table 3, on RTX '
    '2080 Ti, scaled by the speed of the runs that are there'
)


class Cost(NamedTuple):
    """The estimated cost of a training.

    Attributes:
        images (int): Images that it reads, over all epochs.
        gpu_hours (float): GPU hours, without evaluation.
        basis (str): From what they are estimated.
    """

    images: int
    gpu_hours: float
    basis: str


def estimate(experiment: Experiment) -> Cost:
    """Estimates a training from what others have published.

    Args:
        experiment (Experiment): What is trained.

    Returns:
        Cost: A detector's on V100s, a classifier's on RTX 2080 Ti.
    """
    if experiment.is_classifier:
        return _classifier_cost(experiment)
    (row,) = table_5_rows([experiment.name])
    (plain,) = table_5_rows([f'{row.detector}_r50_fpn_1x'])
    more = row.paper['gflops'] / plain.paper['gflops']
    images = COCO_IMAGES * COCO_EPOCHS
    hours = V100_STEP[row.detector] * more / 2 * images / 3600
    return Cost(images, hours, 'V100')


def relative_speed(
    experiments: Collection[Experiment], runs: Collection[Run], is_classifier: bool
) -> float:
    """Measured time over the estimate: the median of what has been trained.

    Args:
        experiments (Collection[Experiment]): All that can be trained.
        runs (Collection[Run]): All runs that were found.
        is_classifier (bool): Whether classifiers are asked for, else detectors.

    Returns:
        float: 1 if nothing has been trained.
    """
    by_name = {experiment.name: experiment for experiment in experiments}
    ratios = []
    for run in runs:
        times = [row['time'] for row in run.training if 'time' in row]
        if (
            run.is_classifier == is_classifier
            and run.name in by_name
            and run.state != 'unusable'
            and times
        ):
            cost = estimate(by_name[run.name])
            per_image = median(times) / run.cfg.train_dataloader.batch_size
            ratios.append(per_image * cost.images / 3600 / cost.gpu_hours)
    return median(ratios) if ratios else 1.0


def _classifier_cost(experiment: Experiment) -> Cost:
    fps, basis = _training_speed(experiment.name)
    images = IMAGENET_IMAGES * _epochs(_backbone(experiment.name))
    return Cost(images, images / fps * PAPER_GPUS / 3600, basis)


@cache
def _epochs(backbone: str) -> int:
    """Epochs of every row with this backbone: all have the plain one's recipe.

    To read each row's own config takes a quarter of a second.
    """
    path = config_path(f'imagenet/{backbone}.py')
    return Config.fromfile(path, import_custom_modules=False).train_cfg.max_epochs


def _backbone(name: str) -> str:
    """Name of the plain network: 'resnet50' of 'eca_resnet50'."""
    return name.rsplit('_', 1)[-1]


def _training_speed(name: str) -> tuple[float, str]:
    """Images a second on the paper's four GPUs, and where that is from.

    A row without a speed is scaled from ECA's of the same depth, or of ResNet-50:
    attention takes more time than its operations say, as ECA's 785 images a second
    beside the plain network's 1024 show. The operations are compared as they are
    printed: by each row's way to count, ResNet-50 has 3.86.
    """
    rows = {row.name: row for row in load_classifier_rows()}
    row = rows.get(name)
    if row is not None and row.train_fps is not None:
        return row.train_fps, f"the paper's {row.train_fps} images/s"
    backbone = _backbone(name)
    if row is None:
        like = _measured(rows[f'eca_{backbone}'])
        return like, f'the {like} images/s of eca_{backbone}, of the same FLOPs'
    reference = 'resnet50' if name == backbone else 'eca_resnet50'
    like = _measured(rows[reference])
    fps = like * rows[reference].flops / row.flops
    return fps, f'{fps:.0f} images/s: the {like} of {reference}, scaled by FLOPs'


def _measured(row: ClassifierRow) -> int:
    assert row.train_fps is not None
    return row.train_fps
