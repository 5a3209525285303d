"""Figure 4: what ECA costs with each kernel size."""

import sys
from typing import Any

from mmengine.utils import track_iter_progress

from ..visualization import text_table
from .classifiers import count_classifier
from .paper_rows import load_kernel_size_points

NOTES = """\
weights: of the attention; k: of every stage, the adaptive one as the authors' weights.
#Param in 2^20 and FLOPs in 2^30, counted as the paper's own rows of Table 3."""


def kernel_size_rows() -> list[dict[str, Any]]:
    """Counts the networks of Figure 4; shows its progress on stderr.

    Returns:
        list[dict]: A dict a point: its ``depth``, ``kernel_size`` ('adaptive' for
        the formula's, None for SENet), the ``weights`` of its attention, ``params``
        and ``operations`` as plain counts, ``params_m`` and ``gflops`` in 2^20 and
        2^30, and ``paper_top1``.
    """
    points = load_kernel_size_points()
    plain = {
        depth: count_classifier(f'resnet{depth}').parameters
        for depth in {point.depth for point in points}
    }
    rows = []
    for point in track_iter_progress(points, file=sys.stderr):
        cost = count_classifier(point.name)
        rows.append(
            dict(
                figure=4,
                name=point.name,
                depth=point.depth,
                kernel_size=point.kernel_size,
                weights=cost.parameters - plain[point.depth],
                params=cost.parameters,
                operations=cost.operations,
                params_m=round(cost.parameters / 2**20, 6),
                gflops=round(cost.operations / 2**30, 6),
                paper_top1=point.top1,
            )
        )
    print(file=sys.stderr)  # ends the line of the progress bar
    return rows


def kernel_size_text(rows: list[dict[str, Any]]) -> str:
    """The counted networks as a table, and notes on it."""
    cells = [['Figure 4', 'k', 'weights', '#Param', 'FLOPs', "paper's top-1"]]
    for row in rows:
        cells.append(
            [
                row['name'],
                str(row['kernel_size'] or '-'),
                f'{row["weights"]:,}',
                f'{row["params_m"]:.2f}',
                f'{row["gflops"]:.2f}',
                f'{row["paper_top1"]:.2f}',
            ]
        )
    return f'{text_table(cells)}\n{NOTES}'
