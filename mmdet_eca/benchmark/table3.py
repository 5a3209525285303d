"""The speed columns of Table 3: its classifiers side by side in one run."""

import statistics
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from ..errors import UserError
from .classifiers import (
    PaperSpeed,
    build_classifier,
    find_libraries,
    paper_row,
    peer_rows,
)
from .measuring import check_positive, choose_device, paired_seconds, progress_bar
from .steps import Step, make_batch
from .table3_results import table3_text, write_table3

# What a column of the table measures.
MEASURES = dict(training='training step', inference='inference, whole batch')


class Setting(NamedTuple):
    """The settings of a run of all rows.

    Attributes:
        batch_size (int): Images in a batch.
        size (tuple[int]): Height and width of the images in pixels.
        rounds (int): Number of measurements of every row and column; one more warms up.
        channels_last (bool): Whether the maps are stored channels-last.
        amp (bool): Whether autocast is on: in float16 with a scaled loss on a GPU, in
            bfloat16 on a CPU.
        device (str, optional): ``cpu``, ``cuda`` or ``cuda:N``; None takes the GPU if
            there is one.
    """

    batch_size: int
    size: tuple[int, int]
    rounds: int
    channels_last: bool = False
    amp: bool = False
    device: str | None = None


class Group(NamedTuple):
    """The rows of one backbone, which are compared with each other.

    Attributes:
        backbone (str): The paper's name of the network.
        papers (dict[str, PaperSpeed]): The paper's rows by name, the plain one first.
        rows (dict[str, str]): The text that builds each row, by name, the plain one
            first, see :func:`build_classifier`.
    """

    backbone: str
    papers: dict[str, PaperSpeed]
    rows: dict[str, str]

    def work(self, name: str, column: str) -> int:
        """About how long a row takes beside the others: operations for an image."""
        plain = next(iter(self.papers.values()))
        operations = self.papers.get(name, plain).operations
        return int(operations) * (3 if column == 'training' else 1)

    def paper(self, name: str, column: str) -> dict[str, float | None]:
        """Returns the paper's images a second of a row, and relative to plain."""
        plain = next(iter(self.papers.values())).speed(column)
        speed = self.papers[name].speed(column) if name in self.papers else None
        ratio = None if speed is None or plain is None else speed / plain
        return dict(paper_images_per_second=speed, paper_ratio=ratio)


def benchmark_table3(papers: Sequence[PaperSpeed], setting: Setting, out: str) -> str:
    """Measures how many images a second the classifiers train on and classify.

    A training step is forward pass, cross-entropy, backward pass and optimizer, with
    norms on the batch's statistics. The rows of one backbone take turns, round after
    round. The networks of timm and MMPretrain take part where they are installed.

    Args:
        papers (Sequence[PaperSpeed]): Rows of the paper, those of a backbone one after
            another and the plain one first.
        setting (Setting): How they are run.
        out (str): Folder for ``table3.txt``, ``table3.md`` (with the machine and the
            command), ``table3.json`` and ``table3.png``.

    Returns:
        str: The table. Images a second are medians of the rounds; relative to the
        plain network are medians of the rounds' ratios, with the smallest and the
        largest.

    Raises:
        UserError: If a number is not positive, if a batch has one value a channel, of
            which there are no statistics, if there is no such device, or if the memory
            of the GPU does not suffice.
    """
    check_positive(
        batch_size=setting.batch_size, size=min(setting.size), rounds=setting.rounds
    )
    if setting.batch_size == 1 and max(setting.size) <= 32:
        raise UserError(
            'a single image of at most 32x32 pixels ends in one value a channel, of '
            'which there are no statistics: give larger images or batches'
        )
    place = choose_device(setting.device)
    libraries, left_out = find_libraries()
    groups = []
    for backbone, members in groupby(papers, lambda paper: paper.backbone):
        by_name = {paper.name: paper for paper in members}
        rows = {name: paper_row(name, setting.size) for name in by_name}
        rows.update(peer_rows(backbone, libraries))
        groups.append(Group(backbone, by_name, rows))
    images = torch.rand(setting.batch_size, 3, *setting.size, device=place)
    results = []
    total = sum(
        group.work(name, column) * (setting.rounds + 1)
        for group in groups
        for name in group.rows
        for column in MEASURES
    )
    with progress_bar(total) as progress:
        for group in groups:
            try:
                results += _measure(group, images, setting, progress)
            except torch.cuda.OutOfMemoryError:
                raise UserError(
                    f'{place} has too little memory for batches of '
                    f'{setting.batch_size}: give a smaller --batch-size'
                ) from None
    write_table3(results, setting._asdict(), out, place)
    return '\n'.join([table3_text(results), *(f'Left out: {why}' for why in left_out)])


def _measure(
    group: Group, images: Tensor, setting: Setting, progress: tqdm
) -> list[dict[str, Any]]:
    """The rows of one backbone as :func:`write_table3` takes them."""
    plain, *_ = group.rows
    options = '@channels_last' if setting.channels_last else ''
    amp = None
    if setting.amp:
        amp = torch.float16 if images.is_cuda else torch.bfloat16
    steps = {}
    for name, row in group.rows.items():
        progress.set_description_str(name)
        model = build_classifier(row + options, group.rows[plain])
        steps[name] = Step(model.to(images.device), amp, updates=True)
    batch = make_batch(steps[plain].model, images)
    results: dict[str, dict[str, Any]] = {
        name: dict(name=name, backbone=group.backbone) for name in group.rows
    }
    for column, measure in MEASURES.items():
        runs = {name: step.prepare(measure, batch) for name, step in steps.items()}
        seconds = paired_seconds(
            runs, setting.rounds, partial(_advance, progress, group, column)
        )
        for name, values in seconds.items():
            results[name][column] = dict(
                images_per_second=len(images) / statistics.median(values),
                ratios=[a / b for a, b in zip(seconds[plain], values)],
                **group.paper(name, column),
            )
    return list(results.values())


def _advance(progress: tqdm, group: Group, column: str, name: str) -> None:
    progress.set_description_str(f'{name}, {column}', refresh=False)
    progress.update(group.work(name, column))
