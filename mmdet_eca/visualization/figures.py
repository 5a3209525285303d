"""Figures that are written to a file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@contextmanager
def figure(
    out_file: str, panels: int, size: tuple[float, float], share_y: bool = False
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

    Yields:
        Sequence[matplotlib.axes.Axes]: The panels, from left to right.
    """
    from matplotlib.figure import Figure  # half a second to import

    picture = Figure(figsize=size, dpi=120, layout='constrained')
    axes = picture.subplots(1, panels, sharey=share_y, squeeze=False)[0]
    yield axes
    for panel in axes:
        panel.set_axisbelow(True)
        panel.grid(alpha=0.3)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(fontsize='small')
    picture.savefig(out_file)
