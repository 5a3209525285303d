"""The results of ImageNet runs beside the paper's Tables 1 to 4, Figures 1 and 4."""

from collections.abc import Collection, Sequence
from statistics import mean, median, stdev
from typing import Any

from .classifiers import OWN, QUOTED, count_classifier
from .experiments import FIGURES, TABLES, select_experiments
from .paper_rows import (
    UNITS,
    ClassifierRow,
    figure_1_rows,
    load_classifier_rows,
    load_kernel_size_points,
    load_member_rows,
    load_network_rows,
)
from .properties import property_rows
from .runs import Run


def collect_imagenet(
    runs: Collection[Run], tables: Sequence[int], figures: Sequence[int]
) -> list[dict[str, Any]]:
    """Puts the accuracies that were measured beside the paper's, row by row.

    What counts of a run is the evaluation after its last epoch.

    Args:
        runs (Collection[Run]): All runs of classifiers that were found.
        tables (Sequence[int]): Numbers of tables, of 1 to 4.
        figures (Sequence[int]): Numbers of figures, 1 and 4.

    Returns:
        list[dict]: A dict a row of each table and a point of each figure, and
        last, with ``table`` and ``figure`` None, what else was trained. top1 and
        top5 are means over the row's finished ``runs`` in percent, None without
        one, and ``std_top1`` their standard deviation, None unless there are
        several; ``gain_top1`` is the gain over the plain network by the same
        code. ``params`` and ``flops`` are counted in the units beside them, if
        there is a run. ``paper_...`` are the paper's figures, ``unconfirmed``
        names those that were read off a picture, ``problems`` says why other
        runs do not count. Rows of Table 1 are those of :func:`property_rows`.
    """
    measured = _Measured(runs)
    rows: list[dict[str, Any]] = []
    if 1 in tables:
        rows += [dict(row, figure=None) for row in property_rows()]
    if 2 in tables:
        for member in load_member_rows():
            row = measured.row(member.name, table=2)
            row.update(
                method=member.member,
                backbone='ResNet-50',
                paper_weights=member.weights,
                paper_top1=member.top1,
                paper_top5=member.top5,
                sources=member.sources,
                note=member.note,
            )
            rows.append(row)
    if 3 in tables:
        rows += [_classifier(measured, row, table=3) for row in load_classifier_rows()]
    if 4 in tables:
        for network in load_network_rows():
            row = measured.row(network.name, table=4)
            row.update(
                method=network.model,
                paper_top1=network.top1,
                paper_top5=network.top5,
                sources=network.sources,
                note=network.note,
            )
            _add_counts(row, measured, (network.params, '2^20', network.flops, '2^30'))
            rows.append(row)
    if 1 in figures:
        rows += [_classifier(measured, row, figure=1) for row in figure_1_rows()]
    if 4 in figures:
        for point in load_kernel_size_points():
            row = measured.row(point.name, figure=4)
            row.update(
                method='SENet' if point.kernel_size is None else 'ECA-Net',
                backbone=f'ResNet-{point.depth}',
                kernel_size=point.kernel_size,
                paper_top1=point.top1,
                sources=point.sources,
                unconfirmed=['top1'] if point.sources == ['measured'] else [],
            )
            rows.append(row)
    known = {experiment.name for experiment in select_experiments(TABLES, FIGURES)}
    rows += [measured.row(name) for name in measured.names() if name not in known]
    _add_gains(rows, measured)
    return rows


class _Measured:
    """What the runs have measured, by name of the row.

    Args:
        runs (Collection[Run]): All runs of classifiers.
    """

    def __init__(self, runs: Collection[Run]) -> None:
        self._runs: dict[str, list[Run]] = {}
        for run in runs:
            self._runs.setdefault(run.name, []).append(run)
        self._counts: dict[str, tuple[int, int]] = {}

    def names(self) -> list[str]:
        """Names of everything that has runs."""
        return list(self._runs)

    def counts(self, name: str | None) -> tuple[int, int] | None:
        """Parameters and operations of a row with runs, counted as its figures were."""
        if name is None or name not in self._runs:
            return None
        if name not in self._counts:
            counting = QUOTED.get(name.partition('_')[0], OWN)
            cost = count_classifier(name, counting)
            self._counts[name] = cost.parameters, cost.operations
        return self._counts[name]

    def top1(self, name: str) -> float | None:
        """Mean top-1 accuracy of a row, None without a finished run."""
        values = [run.metrics['top1'] for run in self._finished(name)]
        return mean(values) if values else None

    def row(
        self, name: str | None, table: int | None = None, figure: int | None = None
    ) -> dict[str, Any]:
        """The result of a row, in which the paper's part is still missing."""
        finished = self._finished(name)
        top1 = [run.metrics['top1'] for run in finished]
        top5 = [run.metrics['top5'] for run in finished if 'top5' in run.metrics]
        speeds = [speed for speed in map(_images_a_second, finished) if speed]
        return dict(
            table=table,
            figure=figure,
            name=name,
            top1=round(mean(top1), 2) if top1 else None,
            std_top1=round(stdev(top1), 2) if top1[1:] else None,
            top5=round(mean(top5), 2) if top5 else None,
            train_fps=round(mean(speeds)) if speeds else None,
            unconfirmed=[],
            runs=[run.work_dir for run in finished],
            problems=[
                f'{run.work_dir} {run.problem}'
                for run in self._runs.get(name or '', ())
                if run.problem
            ],
        )

    def _finished(self, name: str | None) -> list[Run]:
        runs = self._runs.get(name or '', ())
        return [run for run in runs if run.state == 'finished']


def _images_a_second(run: Run) -> float | None:
    times = [row['time'] for row in run.training if 'time' in row]
    if run.gpus is None or not times:
        return None
    return run.gpus * run.cfg.train_dataloader.batch_size / median(times)


def _classifier(
    measured: _Measured, paper: ClassifierRow, **place: int
) -> dict[str, Any]:
    row = measured.row(paper.name, **place)
    row.update(
        method=paper.method,
        backbone=paper.backbone,
        paper_train_fps=paper.train_fps,
        paper_inference_fps=paper.inference_fps,
        paper_top1=paper.top1,
        paper_top5=paper.top5,
        sources=paper.sources,
        note=paper.note,
    )
    units = paper.params_unit, paper.flops_unit
    _add_counts(row, measured, (paper.params, units[0], paper.flops, units[1]))
    return row


def _add_counts(
    row: dict[str, Any], measured: _Measured, paper: tuple[float, str, float, str]
) -> None:
    """Adds #Param and FLOPs, with the paper's figures and units."""
    params, params_unit, flops, flops_unit = paper
    counts = measured.counts(row['name']) or (None, None)
    for key, count, printed, unit in (
        ('params', counts[0], params, params_unit),
        ('flops', counts[1], flops, flops_unit),
    ):
        row[key] = None if count is None else round(count / UNITS[unit], 3)
        row[f'{key}_unit'] = unit
        row[f'paper_{key}'] = printed


def _add_gains(rows: list[dict[str, Any]], measured: _Measured) -> None:
    """Adds the gain of each row of Tables 2 and 3 over its plain network."""
    paper = {row.name: row.top1 for row in load_classifier_rows()}
    for row in rows:
        if row['table'] in (2, 3):
            plain = row['name'].rsplit('_', 1)[-1]
            own = None if plain == row['name'] else measured.top1(row['name'])
            row['gain_top1'] = _difference(own, measured.top1(plain))
            own = None if plain == row['name'] else row['paper_top1']
            row['paper_gain_top1'] = _difference(own, paper[plain])


def _difference(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else round(value - other, 2)
