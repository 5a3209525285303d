"""The trainings of the paper's tables and figures, and their cost in GPU hours."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from statistics import median

from .paper_rows import FIGURES, TABLES, chosen, paper_rows
from .rows import Cost, Row, select_rows
from .work_dirs import Run

COCO_IMAGES, COCO_EPOCHS = 117266, 12  # of train2017 those with annotations
IMAGENET_IMAGES = 1281167
# Seconds a training step of 2 images a GPU with ResNet-50, on a V100:
# MMDetection 2.0's docs/MODEL_ZOO.md, "Training Speed".
V100_STEP = dict(faster_rcnn=0.216, mask_rcnn=0.265, retinanet=0.205)
PAPER_GPUS = 4  # RTX 2080 Ti: of its trainings, and of the speeds in Table 3


def paper_trainings(
    tables: Sequence[int] | None = None,
    figures: Sequence[int] | None = None,
    names: Sequence[str] = (),
) -> list[Row]:
    """Lists what is trained for tables and figures, each of it once.

    Args:
        tables (Sequence[int], optional): Numbers of tables. Nothing is trained for
            Table 1.
        figures (Sequence[int], optional): Numbers of figures. Without tables and
            figures, those of Tables 5 and 6 are listed, or with names all.
        names (Sequence[str]): Names of those that are wanted; empty for all.

    Returns:
        list[Row]: First detectors, then classifiers, in the paper's order. Their
        ``fields`` have the numbers of all ``tables`` and ``figures`` with their
        results.

    Raises:
        UserError: If there is no row of a name.
    """
    tables, figures = chosen(tables, figures, everything=bool(names))
    rows = [
        row
        for row in _all_trainings()
        if set(row.fields['tables']) & set(tables)
        or set(row.fields['figures']) & set(figures)
    ]
    return select_rows(rows, names)


@cache
def _all_trainings() -> list[Row]:
    places = [row for row in paper_rows(TABLES[1:], FIGURES) if row.name]
    rows: dict[str, Row] = {}
    for place in sorted(places, key=lambda place: place.is_classifier):
        folder = 'imagenet' if place.is_classifier else ''
        fields = dict(place.fields(), tables=[], figures=[])
        new = Row(place.name, folder, place.is_classifier, fields)
        row = rows.setdefault(place.name, new)
        row.fields['tables'].extend([place.table] if place.table else [])
        row.fields['figures'].extend([place.figure] if place.figure else [])
    return [
        replace(row, cost=_classifier_cost(row) if row.folder else _detector_cost(row))
        for row in rows.values()
    ]


def _detector_cost(row: Row) -> Cost:
    """Estimates a detector's on V100s: by its GFLOPs, from that with ResNet-50."""
    gflops = {row.name: row.paper['gflops'] for row in paper_rows([5])}
    detector = row.fields['detector']
    step = V100_STEP[detector] * gflops[row.name] / gflops[f'{detector}_r50_fpn_1x']
    images = COCO_IMAGES * COCO_EPOCHS
    return Cost(images, step / 2 * images / 3600, 'V100')


def _classifier_cost(row: Row) -> Cost:
    """Estimates a classifier's on RTX 2080 Ti, by the paper's speed of training.

    A row without a speed is scaled from ECA's of the same depth, or of ResNet-50:
    attention takes more time than its operations say, as ECA's 785 images a second
    beside the plain network's 1024 show. The operations are compared as they are
    printed: by each row's way to count, ResNet-50 has 3.86.
    """
    paper = {row.name: row.paper for row in paper_rows([3])}
    own = paper.get(row.name)
    backbone = row.name.rsplit('_', 1)[-1]  # 'resnet50' of 'eca_resnet50'
    if own is not None and 'train_fps' in own:
        fps = own['train_fps']
        basis = f"the paper's {fps} images/s"
    elif own is None:
        fps = paper[f'eca_{backbone}']['train_fps']
        basis = f'the {fps} images/s of eca_{backbone}, of the same FLOPs'
    else:
        like = 'resnet50' if row.name == backbone else 'eca_resnet50'
        fps = paper[like]['train_fps'] * paper[like]['flops'] / own['flops']
        speed = paper[like]['train_fps']
        basis = f'{fps:.0f} images/s: the {speed} of {like}, scaled by FLOPs'
    images = IMAGENET_IMAGES * (400 if 'mobilenet' in row.name else 100)
    return Cost(images, images / fps * PAPER_GPUS / 3600, basis)


def relative_speeds(runs: Collection[Run]) -> Mapping[bool, float]:
    """Returns measured time over the estimate: the median of what has been trained.

    Returns:
        Mapping[bool, float]: That of detectors (False) and classifiers (True); 1 if
        nothing has been trained.
    """
    costs = {row.name: row.cost for row in _all_trainings()}
    ratios: dict[bool, list[float]] = {False: [], True: []}
    for run in runs:
        cost, time = costs.get(run.name), run.step_time()
        if cost and time and run.state != 'unusable':
            per_image = time / run.cfg.train_dataloader.batch_size
            ratio = per_image * cost.images / 3600 / cost.hours
            ratios[run.is_classifier].append(ratio)
    return {kind: median(values) if values else 1.0 for kind, values in ratios.items()}
