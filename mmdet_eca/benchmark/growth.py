"""How time and memory grow with the images and with the batch."""

import statistics
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from ..engine import config_path
from .devices import choose_device
from .growth_results import growth_text, write_growth
from .measuring import check_positive, paired_seconds, progress_bar
from .memory import saved_bytes
from .rows import build_row, precision
from .steps import Step, make_batch

CLASSIFIERS = ('resnet50', 'eca_resnet50')
# The times that are measured, and about how many times the work of inference each is.
WORK = {'training step': 3, 'inference, whole batch': 1}


class Point(NamedTuple):
    """Images that the rows are given.

    Attributes:
        axis (str): What grows: ``image size`` or ``batch size``.
        batch_size (int): Images in a batch.
        height (int): Of the images in pixels.
        width (int): Of the images in pixels.
    """

    axis: str
    batch_size: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """Of all images together."""
        return self.batch_size * self.height * self.width


def benchmark_growth(
    rows: Sequence[str],
    sides: Sequence[int],
    batch_sizes: Sequence[int],
    batch_size: int,
    size: tuple[int, int],
    rounds: int,
    out: str,
    backbone_only: bool = False,
    device: str | None = None,
) -> str:
    """Measures rows with larger and larger images, then with more and more of them.

    A cost that is proportional to the pixels stays the same for a pixel.

    Args:
        rows (Sequence[str]): Configs, each with options after ``@``, see
            :func:`build_row`; none for the plain and the ECA ResNet-50 as ImageNet
            classifiers, with norms on the batch's statistics.
        sides (Sequence[int]): Sides of square images in pixels.
        batch_sizes (Sequence[int]): Numbers of images.
        batch_size (int): Images of each of the sides.
        size (tuple[int]): Height and width of the images of the batches in pixels.
        rounds (int): Of every row, time and size; one more warms up.
        out (str): Folder for ``growth.txt``, ``growth.md`` (with the machine and the
            command), ``growth.json`` and ``growth.png``.
        backbone_only (bool): Whether to measure ``model.backbone`` alone.
        device (str, optional): ``cpu``, ``cuda`` or ``cuda:N``; None takes the GPU if
            there is one.

    Returns:
        str: The table: seconds and bytes for a million pixels, medians of the rounds,
        and what they are of the first row's.

    Raises:
        UserError: If a row cannot be built, if there is no such device, or if a number
            is not positive.
    """
    points = [Point('image size', batch_size, side, side) for side in sides]
    points += [Point('batch size', number, *size) for number in batch_sizes]
    for point in points:
        check_positive(
            batch_size=point.batch_size,
            size=min(point.height, point.width),
            rounds=rounds,
        )
    place = choose_device(device)
    names = {row: row for row in rows}
    if not names:
        names = {name: config_path(f'imagenet/{name}.py') for name in CLASSIFIERS}
    steps = {
        name: Step(build_row(row, backbone_only).to(place), precision(row))
        for name, row in names.items()
    }
    results = []
    total = sum(point.pixels for point in points) * len(steps) * (rounds + 1)
    with progress_bar(total * sum(WORK.values())) as progress:
        for point in points:
            results += _measure(steps, point, rounds, progress)
    write_growth(results, out, place)
    return growth_text(results)


def _measure(
    steps: dict[str, Step], point: Point, rounds: int, progress: tqdm
) -> list[dict[str, Any]]:
    """The rows' results with these images, as :func:`write_growth` takes them."""
    first = next(iter(steps.values()))
    shape = (point.batch_size, 3, point.height, point.width)
    progress.set_description_str('x'.join(map(str, shape)), refresh=False)
    batch = make_batch(first.model, torch.rand(shape, device=first.device))
    results: dict[str, dict[str, Any]] = {
        name: dict(row=name, **point._asdict(), pixels=point.pixels) for name in steps
    }
    for measure, work in WORK.items():
        times = paired_seconds(
            {name: step.prepare(measure, batch) for name, step in steps.items()},
            rounds,
            partial(_advance, progress, work * point.pixels),
        )
        base, *_ = times.values()
        for name, values in times.items():
            results[name][measure] = dict(
                seconds=statistics.median(values),
                ratios=[b / a for a, b in zip(base, values)],
            )
    for name, step in steps.items():
        results[name]['saved activations'] = saved_bytes(step, batch)
    return list(results.values())


def _advance(progress: tqdm, work: int, name: str) -> None:
    progress.update(work)
