"""Bars of ratios to the first row."""

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer


def draw_bars(
    axes: 'Axes', places: Sequence[Any], ratios: Sequence[Sequence[float]]
) -> 'BarContainer':
    """Draws a bar a row: the median of the rounds, and their range.

    Args:
        axes (matplotlib.axes.Axes): The panel.
        places (Sequence): Where the bars are on the vertical axis: names or numbers.
        ratios (Sequence[Sequence[float]]): The ratios of each row, one a round.

    Returns:
        matplotlib.container.BarContainer: The bars, which may be given labels.
    """
    medians = [statistics.median(values) for values in ratios]
    ranges = [
        [median - min(values) for median, values in zip(medians, ratios)],
        [max(values) - median for median, values in zip(medians, ratios)],
    ]
    axes.axvline(1, color='0.6', linewidth=1)
    return axes.barh(places, medians, xerr=ranges, color='#4878a8', ecolor='0.4')
