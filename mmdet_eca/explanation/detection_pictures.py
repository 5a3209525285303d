"""Pictures of detections: the evidence for each, and which of two detectors has it."""

from collections.abc import Sequence
from typing import Any

import mmcv
import numpy as np
from mmengine.structures import InstanceData

from ..visualization import figure
from .activation_maps import ActivationMap
from .differences import VERDICTS, Compared

_COLORS = {True: 'tab:green', False: 'tab:red', None: 'tab:orange'}


def draw_activation_maps(
    path: str,
    found: InstanceData,
    maps: Sequence[ActivationMap],
    class_names: Sequence[str],
    method: str,
    out_file: str,
) -> None:
    """Draws an image with its detections, and over it a map of each that has one.

    Args:
        path (str): The image.
        found (InstanceData): Detections; the first have the maps.
        maps (Sequence[ActivationMap]): Their maps.
        class_names (Sequence[str]): Names of the classes.
        method (str): The method of the maps, for the title.
        out_file (str): The picture to write.
    """
    from matplotlib.cm import ScalarMappable

    image = mmcv.imread(path, channel_order='rgb')
    height, width = image.shape[:2]
    columns, panel_width = min(len(maps) + 1, 4), 3.6
    rows = -(-(len(maps) + 1) // columns)
    row_height = panel_width * height / width + 0.6
    size = (panel_width * columns + 1.2, max(row_height * rows + 0.5, 3))
    with figure(out_file, len(maps) + 1, size, columns=columns) as axes:
        axes[0].imshow(image)
        explained = f', the first {len(maps)} explained' * (len(found) > len(maps))
        axes[0].set_title(f'{len(found)} detections{explained}', fontsize='medium')
        for index in reversed(range(len(found))):
            box = found.bboxes[index]
            if index < len(maps):
                _draw_box(axes[0], box, 'tab:orange', 2, text=str(index + 1))
            else:
                _draw_box(axes[0], box, '0.7', 1)
        grey = np.repeat(image.mean(2, keepdims=True), 3, 2).astype(np.uint8)
        for index, (panel, (heat, level, inside)) in enumerate(zip(axes[1:], maps)):
            box = found.bboxes[index]
            panel.imshow(grey, interpolation='bilinear')
            # Where there is no heat, the image is seen.
            panel.imshow(heat, cmap='inferno', vmin=0, vmax=1, alpha=0.7 * heat**0.5)
            _draw_box(panel, box, 'tab:cyan', 1.5)
            _zoom(panel, box, width, height)
            has_heat = not np.isnan(inside)
            share = f'{100 * inside:.0f} % of heat in box' if has_heat else 'no heat'
            panel.set_title(
                f'{index + 1}: {class_names[found.labels[index]]}, score '
                f'{found.scores[index]:.2f}\nneck output {level}, {share}',
                fontsize='medium',
            )
        for panel in axes:
            panel.set_axis_off()
        axes[0].figure.colorbar(
            ScalarMappable(cmap='inferno'),
            ax=axes,
            label='evidence for the score,\nas a share of the highest',
        )
        title = f'Where the evidence for each detection lies ({method})'
        axes[0].figure.suptitle(title)


def draw_differences(
    path: str,
    plain: Compared,
    attention: Compared,
    truth: InstanceData | None,
    class_names: Sequence[str],
    out_file: str,
) -> None:
    """Draws the plain detector's boxes on the left, on the right those with attention.

    Boxes that only one has are thick, in green if they are right and in red if wrong;
    those that both have are thin and grey. Annotated objects are dotted.

    Args:
        path (str): The image.
        plain (Compared): Detections without attention.
        attention (Compared): Detections with attention.
        truth (InstanceData, optional): What is annotated.
        class_names (Sequence[str]): Names of the classes.
        out_file (str): The picture to write.
    """
    from matplotlib.lines import Line2D

    image = mmcv.imread(path, channel_order='rgb')
    height, width = image.shape[:2]
    size = (14, max(6 * height / width + 0.6, 3))
    with figure(out_file, 2, size, legend_outside=True) as panels:
        for panel, name, side in zip(
            panels, ('plain', 'with attention'), (plain, attention)
        ):
            panel.imshow(image)
            for box in truth.bboxes if truth is not None else ():
                _draw_box(panel, box, 'cyan', 1.2, ':')
            _draw_side(panel, side, class_names)
            panel.set_title(f'{name}: {_summary(side)}', fontsize='medium')
            panel.set_axis_off()
        lines: list[tuple[str, dict]] = [
            ('both have it', dict(color='0.8', linewidth=1))
        ]
        if truth is None:
            lines.append(('only here', dict(color=_COLORS[None], linewidth=2.5)))
        else:
            lines += [
                (
                    f'only here and {VERDICTS[verdict]}',
                    dict(color=_COLORS[verdict], linewidth=2.5),
                )
                for verdict in (True, False)
            ]
            lines.append(('annotated object', dict(color='cyan', linestyle=':')))
        for label, style in lines:
            panels[0].add_line(Line2D([], [], label=label, **style))


def _summary(side: Compared) -> str:
    """'9 found, 2 only here: 1 right, 1 wrong', for a title."""
    counts = side.only_here()
    parts = [f'{counts[v]} {VERDICTS[v]}' for v in (True, False) if counts[v]]
    more = f': {", ".join(parts)}' if parts else ''
    return f'{len(side.found)} found, {sum(counts.values())} only here{more}'


def _draw_side(panel: Any, side: Compared, class_names: Sequence[str]) -> None:
    found = side.found
    # Those that both have first, so that they hide nothing.
    for index in np.argsort(~side.shared, kind='stable'):
        if side.shared[index]:
            _draw_box(panel, found.bboxes[index], '0.8', 1)
        else:
            text = f'{class_names[found.labels[index]]} {found.scores[index]:.2f}'
            color = _COLORS[side.right[index]]
            _draw_box(panel, found.bboxes[index], color, 2.5, text=text)


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


def _draw_box(
    panel: Any,
    box: np.ndarray,
    color: str,
    width: float,
    linestyle: str = '-',
    text: str = '',
) -> None:
    """Draws a box (x1, y1, x2, y2) with a text at its upper left corner."""
    from matplotlib.patches import Rectangle

    x1, y1, x2, y2 = box
    style: dict[str, Any] = dict(
        fill=False, edgecolor=color, linewidth=width, linestyle=linestyle
    )
    panel.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, **style))
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
