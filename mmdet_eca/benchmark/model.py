"""Time and memory of detectors or backbones, side by side in one run."""

import statistics
from collections.abc import Sequence

import torch

from ..errors import UserError
from .measuring import check_positive, choose_device, paired_seconds, progress_bar
from .memory import peak_bytes, saved_bytes
from .results import Results, results_text, write_results
from .rows import build_row, precision
from .steps import MEASURES, Batch, Step, make_batch


def benchmark_model(
    rows: Sequence[str],
    backbone_only: bool,
    batch_size: int,
    size: tuple[int, int],
    rounds: int,
    out: str,
    max_saved: float | None = None,
    device: str | None = None,
) -> str:
    """Measures rows in turn, round after round, and compares them with the first.

    Args:
        rows (Sequence[str]): Configs, each with options after ``@``, see
            :func:`build_row`.
        backbone_only (bool): Whether to measure ``model.backbone`` alone.
        batch_size (int): Images in a training step.
        size (tuple[int]): Height and width of the images in pixels.
        rounds (int): Number of measurements of every row; one more warms up.
        out (str): Folder for ``model.txt``, ``model.md`` (with the machine and
            the command), ``model.json`` and ``model.png``.
        max_saved (float, optional): Largest saved activations of the last row,
            relative to the first.
        device (str, optional): ``cpu``, ``cuda`` or ``cuda:N``; None takes the
            GPU if there is one. On it the peak memory of a training step is
            measured too: of weights, gradients and activations.

    Returns:
        str: The table. Ratios are medians of the rounds' ratios, with the
        smallest and the largest.

    Raises:
        UserError: If a row cannot be built, or saves more than ``max_saved``, or
            if there is no such device, or if a number is not positive.
    """
    check_positive(batch_size=batch_size, size=min(size), rounds=rounds)
    place = choose_device(device)
    steps = {
        row: Step(build_row(row, backbone_only).to(place), precision(row))
        for row in rows
    }
    images = torch.rand(batch_size, 3, *size, device=place)
    batch = make_batch(steps[rows[0]].model, images)
    results = _measure_times(steps, batch, rounds)
    for row, step in steps.items():
        results[row]['saved activations'] = saved_bytes(step, batch)
    if place.type == 'cuda':
        for row, peak in peak_bytes(steps, batch).items():
            results[row]['peak memory'] = peak
    write_results(results, out, place)
    saved = [results[row]['saved activations'] for row in (rows[0], rows[-1])]
    if max_saved is not None and saved[1] > max_saved * saved[0]:
        raise UserError(
            f'{rows[-1]} saves {saved[1] / saved[0]:.3f} of the '
            f'activations of {rows[0]}, more than {max_saved}'
        )
    return results_text(results)


def _measure_times(steps: dict[str, Step], batch: Batch, rounds: int) -> Results:
    """Times of every measure, and their ratios to the first row's, by row."""
    results: Results = {row: {} for row in steps}
    with progress_bar(len(steps) * len(MEASURES) * (rounds + 1)) as progress:
        for measure in MEASURES:
            runs = {row: step.prepare(measure, batch) for row, step in steps.items()}
            times = paired_seconds(runs, rounds, lambda row: progress.update())
            first = next(iter(times.values()))
            for row, values in times.items():
                results[row][measure] = dict(
                    seconds=statistics.median(values),
                    ratios=[b / a for a, b in zip(first, values)],
                )
    return results
