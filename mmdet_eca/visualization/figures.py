"""Figures that are written to a file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@contextmanager
def figure(
    out_file: str,
    panels: int,
    size: tuple[float, float],
    share_y: bool = False,
    legend_outside: bool = False,
    columns: int | None = None,
) -> Iterator[Sequence['Axes']]:
    """Opens a figure of panels side by side, and writes it when the block ends.

    Each panel gets a grid, and a legend if something in it has a label.
    pyplot is not used: it keeps every figure, and changes the backend of
    whoever calls.

    Args:
        out_file (str): The picture to write.
        panels (int): Number of panels.
        size (tuple[float]): Width and height of the figure in units of 120 pixels.
        share_y (bool): Whether the panels have one vertical axis.
        legend_outside (bool): Whether one legend of all panels, with each label
            once, stands on their right, where it hides nothing.
        columns (int, optional): Panels in a row, by default all. The rows are filled
            from above, and what the last one has too many is left empty.

    Yields:
        Sequence[matplotlib.axes.Axes]: The panels, from left to right.
    """
    from matplotlib.figure import Figure  # half a second to import

    picture = Figure(figsize=size, dpi=120, layout='constrained')
    columns = columns or panels
    rows = -(-panels // columns)
    grid = picture.subplots(rows, columns, sharey=share_y, squeeze=False)
    axes = list(grid.flat)
    for panel in axes[panels:]:
        panel.remove()
    yield axes[:panels]
    for panel in axes[:panels]:
        panel.set_axisbelow(True)
        panel.grid(alpha=0.3)
        if not legend_outside and panel.get_legend_handles_labels()[0]:
            panel.legend(fontsize='small')
    if legend_outside:
        labelled: dict = {}
        for panel in axes[:panels]:
            for handle, label in zip(*panel.get_legend_handles_labels()):
                labelled.setdefault(label, handle)
        picture.legend(
            labelled.values(),
            labelled.keys(),
            loc='outside right center',
            fontsize='small',
            labelspacing=0.8,
        )
    picture.savefig(out_file)
