"""What a training costs in GPU hours: estimated, and by the speed of the runs."""

from collections.abc import Collection, Mapping
from statistics import median

from .paper_rows import (
    FIGURES,
    TABLES,
    ClassifierRow,
    Experiment,
    load_classifier_rows,
    select_experiments,
    table_5_rows,
)
from .work_dirs import Run

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


def training_images(experiment: Experiment) -> int:
    """Returns the number of images that a training reads, over all epochs."""
    if not experiment.is_classifier:
        return COCO_IMAGES * COCO_EPOCHS
    return IMAGENET_IMAGES * (400 if 'mobilenet' in experiment.name else 100)


def estimate(experiment: Experiment) -> tuple[float, str]:
    """Estimates the GPU hours of a training, without evaluation, and their basis.

    The basis is what others have published: a detector's are on V100s, a classifier's
    on RTX 2080 Ti.
    """
    images = training_images(experiment)
    if experiment.is_classifier:
        fps, basis = _training_speed(experiment.name)
        return images / fps * PAPER_GPUS / 3600, basis
    (row,) = table_5_rows([experiment.name])
    (plain,) = table_5_rows([f'{row.detector}_r50_fpn_1x'])
    more = row.paper['gflops'] / plain.paper['gflops']
    return V100_STEP[row.detector] * more / 2 * images / 3600, 'V100'


def relative_speeds(runs: Collection[Run]) -> Mapping[bool, float]:
    """Returns measured time over the estimate: the median of what has been trained.

    Returns:
        Mapping[bool, float]: That of detectors (False) and classifiers (True); 1 if
        nothing has been trained.
    """
    experiments = {e.name: e for e in select_experiments(TABLES, FIGURES)}
    ratios: dict[bool, list[float]] = {False: [], True: []}
    for run in runs:
        experiment, time = experiments.get(run.name), run.step_time()
        if experiment and time and run.state != 'unusable':
            per_image = time / run.cfg.train_dataloader.batch_size
            hours = per_image * training_images(experiment) / 3600
            ratios[run.is_classifier].append(hours / estimate(experiment)[0])
    return {kind: median(values) if values else 1.0 for kind, values in ratios.items()}


def _training_speed(name: str) -> tuple[float, str]:
    """Returns the images a second on the paper's four GPUs, and where that is from.

    A row without a speed is scaled from ECA's of the same depth, or of ResNet-50:
    attention takes more time than its operations say, as ECA's 785 images a second
    beside the plain network's 1024 show. The operations are compared as they are
    printed: by each row's way to count, ResNet-50 has 3.86.
    """
    rows = {row.name: row for row in load_classifier_rows()}
    row: ClassifierRow | None = rows.get(name)
    if row is not None and row.train_fps is not None:
        return row.train_fps, f"the paper's {row.train_fps} images/s"
    backbone = name.rsplit('_', 1)[-1]  # 'resnet50' of 'eca_resnet50'
    if row is None:
        like = rows[f'eca_{backbone}'].train_fps
        return like or 0, f'the {like} images/s of eca_{backbone}, of the same FLOPs'
    reference = rows['resnet50' if name == backbone else 'eca_resnet50']
    fps = (reference.train_fps or 0) * (reference.flops or 0) / (row.flops or 1)
    return fps, (
        f'{fps:.0f} images/s: the {reference.train_fps} of {reference.name}, scaled '
        'by FLOPs'
    )
