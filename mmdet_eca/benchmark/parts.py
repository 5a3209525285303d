"""Where the time of whole detectors goes, side by side in one run."""

import os.path as osp
import statistics
from collections.abc import Sequence
from functools import partial

import torch
from mmdet.models.detectors import BaseDetector
from torch import nn

from ..errors import UserError
from ..visualization import figure, text_table
from .devices import choose_device
from .measuring import check_positive, progress_bar, write_table
from .rows import build_row, precision
from .steps import Batch, Step, make_samples
from .stopwatch import Stopwatch, make_detections_equal

# What is measured, and about how many times the work of inference it is.
MEASURES = {'inference': 1, 'training step': 3}
# By measure, row and part: seconds in each round.
Parts = dict[str, dict[str, dict[str, list[float]]]]


def benchmark_parts(
    rows: Sequence[str],
    batch_size: int,
    size: tuple[int, int],
    rounds: int,
    out: str,
    device: str | None = None,
) -> str:
    """Measures the parts of detectors in turn, round after round.

    Inference includes what follows the networks: NMS, and masks in the image. The
    heads find their anchors and boxes, the same in every row.

    Args:
        rows (Sequence[str]): Configs, each with options after ``@``, see
            :func:`build_row`.
        batch_size (int): Images in a batch.
        size (tuple[int]): Height and width of the images in pixels.
        rounds (int): Of every row and measure; one more warms up.
        out (str): Folder for ``parts.txt``, ``parts.md``, ``parts.json`` (the
            seconds of every round) and ``parts.png``.
        device (str, optional): ``cpu``, ``cuda`` or ``cuda:N``; None takes the
            GPU if there is one.

    Returns:
        str: A table: of the first row each part's median time, of the others the
        medians of the rounds' ratios to it.

    Raises:
        UserError: If a row cannot be built or is no detector, if there is no such
            device, or if a number is not positive.
    """
    check_positive(batch_size=batch_size, size=min(size), rounds=rounds)
    place = choose_device(device)
    models = {row: _build(row, place) for row in rows}
    steps = {row: Step(model, precision(row)) for row, model in models.items()}
    watches = {row: Stopwatch(model) for row, model in models.items()}
    images = torch.rand(batch_size, 3, *size, device=place)
    batch = Batch(images, make_samples(images))
    results: Parts = {measure: {row: {} for row in rows} for measure in MEASURES}
    total = sum(MEASURES.values()) * len(steps) * (rounds + 1)
    with progress_bar(total) as progress:
        for measure, work in MEASURES.items():
            is_training = measure == 'training step'
            for number in range(rounds + 1):  # the first one warms up
                for row, step in steps.items():
                    progress.set_description_str(f'{row}, {measure}', refresh=False)
                    models[row].train(is_training)
                    run = step.train if is_training else step.detect
                    measured = watches[row].run(partial(run, batch))
                    if number:
                        _note(results[measure][row], measured)
                    progress.update(work)
    cells = _cells(results)
    table = text_table(cells, left_columns=2)
    write_table(out, 'parts', table, cells, results, place, left_columns=2)
    _draw(results, osp.join(out, 'parts.png'))
    return table


def _build(row: str, device: torch.device) -> nn.Module:
    model = build_row(row, False)
    if not isinstance(model, BaseDetector):
        raise UserError(f'{row} is no detector: its parts cannot be measured')
    make_detections_equal(model)
    return model.to(device)


def _note(parts: dict[str, list[float]], measured: dict[str, float]) -> None:
    for part, seconds in measured.items():
        parts.setdefault(part, []).append(seconds)
    parts.setdefault('all', []).append(sum(measured.values()))


def _cells(results: Parts) -> list[list[str]]:
    """A header, and for each measure a line for every part."""
    rows = list(next(iter(results.values())))
    cells = [['', 'part', rows[0], *(f'{row}, ratio' for row in rows[1:])]]
    for measure, by_row in results.items():
        first, *others = by_row.values()
        whole = statistics.median(first['all'])
        for part in sorted(first, key=lambda part: -sum(first[part])):
            seconds = statistics.median(first[part])
            cells.append(
                [
                    measure,
                    part,
                    f'{seconds:.3f} s {seconds / whole:4.0%}',
                    *(_ratio(first[part], other.get(part, [])) for other in others),
                ]
            )
    return cells


def _ratio(first: list[float], other: list[float]) -> str:
    ratios = [b / a for a, b in zip(first, other)]
    return f'{statistics.median(ratios):.2f}' if ratios else '-'


def _draw(results: Parts, out_file: str) -> None:
    """A bar for each row, of its parts' medians."""
    rows = list(next(iter(results.values())))
    height = 1.5 + 0.5 * len(rows)
    with figure(
        out_file, len(results), (12, height), share_y=True, legend_outside=True
    ) as panels:
        every = [parts for by_row in results.values() for parts in by_row.values()]
        names = sorted({name for parts in every for name in parts} - {'all'})
        for axes, (measure, by_row) in zip(panels, results.items()):
            left = [0.0] * len(rows)
            for number, name in enumerate(names):
                widths = [
                    statistics.median(by_row[row].get(name, [0.0])) for row in rows
                ]
                axes.barh(
                    rows,
                    widths,
                    left=left,
                    color=f'C{number}' if number < 10 else f'{0.2 * (number - 9)}',
                    label=name if axes is panels[0] else None,
                )
                left = [a + b for a, b in zip(left, widths)]
            axes.set(title=measure, xlabel='seconds')
        panels[0].invert_yaxis()
