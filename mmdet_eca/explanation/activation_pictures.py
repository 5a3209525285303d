"""Pictures of class-activation maps over the image."""

from collections.abc import Sequence
from typing import Any

import mmcv
import numpy as np

from ..visualization import figure
from .activation_maps import ActivationMap
from .inputs import Objects

_PANEL_WIDTH = 3.6


def draw_activation_maps(
    path: str,
    found: Objects,
    maps: Sequence[ActivationMap],
    class_names: Sequence[str],
    method: str,
    out_file: str,
) -> None:
    """Draws an image with its detections, and over it a map of each that has one.

    Args:
        path (str): The image.
        found (Objects): Detections; the first have the maps.
        maps (Sequence[ActivationMap]): Their maps.
        class_names (Sequence[str]): Names of the classes.
        method (str): The method of the maps, for the title.
        out_file (str): The picture to write.
    """
    from matplotlib.cm import ScalarMappable

    image = mmcv.imread(path, channel_order='rgb')
    height, width = image.shape[:2]
    columns = min(len(maps) + 1, 4)
    rows = -(-(len(maps) + 1) // columns)
    row_height = _PANEL_WIDTH * height / width + 0.6
    size = (_PANEL_WIDTH * columns + 1.2, max(row_height * rows + 0.5, 3))
    with figure(out_file, len(maps) + 1, size, columns=columns) as axes:
        axes[0].imshow(image)
        axes[0].set_title(_count(found, maps), fontsize='medium')
        for index in reversed(range(len(found))):
            box = found.boxes[index]
            if index < len(maps):
                draw_box(axes[0], box, str(index + 1), 'tab:orange', 2)
            else:
                draw_box(axes[0], box, '', '0.7', 1)
        grey = np.repeat(image.mean(2, keepdims=True), 3, 2).astype(np.uint8)
        for index, (panel, (heat, level, inside)) in enumerate(zip(axes[1:], maps)):
            box = found.boxes[index]
            panel.imshow(grey, interpolation='bilinear')
            # Where there is no heat, the image is seen.
            panel.imshow(heat, cmap='inferno', vmin=0, vmax=1, alpha=0.7 * heat**0.5)
            draw_box(panel, box, '', 'tab:cyan', 1.5)
            _zoom(panel, box, width, height)
            known = inside == inside  # else NaN
            share = f'{100 * inside:.0f} % of heat in box' if known else 'no heat'
            panel.set_title(
                f'{index + 1}: {class_names[found.labels[index]]}, score '
                f'{found.scores[index]:.2f}\nneck output {level}, {share}',
                fontsize='medium',
            )
        for panel in axes:
            panel.set_axis_off()
        picture = axes[0].figure
        picture.colorbar(
            ScalarMappable(cmap='inferno'),
            ax=axes,
            label='evidence for the score,\nas a share of the highest',
        )
        picture.suptitle(f'Where the evidence for each detection lies ({method})')


def _count(found: Objects, maps: Sequence[ActivationMap]) -> str:
    if len(found) == len(maps):
        return f'{len(found)} detections'
    return f'{len(found)} detections, the first {len(maps)} explained'


def _zoom(panel: Any, box: np.ndarray, width: int, height: int) -> None:
    """Shows the box and as much around it on each side, in the image's proportions."""
    x1, y1, x2, y2 = box
    share = min(max(3 * (x2 - x1) / width, 3 * (y2 - y1) / height, 0.1), 1)
    left = np.clip((x1 + x2 - share * width) / 2, 0, (1 - share) * width)
    top = np.clip((y1 + y2 - share * height) / 2, 0, (1 - share) * height)
    panel.set(
        xlim=(left - 0.5, left + share * width - 0.5),
        ylim=(top + share * height - 0.5, top - 0.5),
    )


def draw_box(
    panel: Any,
    box: np.ndarray,
    text: str,
    color: str,
    width: float,
    linestyle: str = '-',
) -> None:
    """Draws a box (x1, y1, x2, y2) with a text at its upper left corner."""
    from matplotlib.patches import Rectangle

    x1, y1, x2, y2 = box
    panel.add_patch(
        Rectangle(
            (x1, y1),
            x2 - x1,
            y2 - y1,
            fill=False,
            edgecolor=color,
            linewidth=width,
            linestyle=linestyle,
        )
    )
    if text:
        bottom, top = panel.get_ylim()
        has_room = y1 - top > 0.08 * (bottom - top)
        panel.text(
            x1,
            y1,
            text,
            color='white',
            fontsize='x-small',
            verticalalignment='bottom' if has_room else 'top',
            clip_on=True,
            bbox=dict(facecolor=color, edgecolor='none', pad=1),
        )
