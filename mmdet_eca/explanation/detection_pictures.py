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
    columns = min(len(maps) + 1, 4)
    rows = -(-(len(maps) + 1) // columns)
    size = (3.6 * columns + 1.2, max(rows * (3.6 * height / width + 0.6) + 0.5, 3))
    with figure(out_file, len(maps) + 1, size, columns=columns) as axes:
        axes[0].imshow(image)
        explained = f', the first {len(maps)} explained' * (len(found) > len(maps))
        axes[0].set_title(f'{len(found)} detections{explained}', fontsize='medium')
        for index in reversed(range(len(found))):
            has_map = index < len(maps)
            color, text = ('tab:orange', str(index + 1)) if has_map else ('0.7', '')
            _draw_box(axes[0], found.bboxes[index], color, 1 + has_map, text=text)
        grey = np.repeat(image.mean(2, keepdims=True), 3, 2).astype(np.uint8)
        for index, (panel, (heat, level, inside)) in enumerate(zip(axes[1:], maps)):
            panel.imshow(grey, interpolation='bilinear')
            # Where there is no heat, the image is seen.
            panel.imshow(heat, cmap='inferno', vmin=0, vmax=1, alpha=0.7 * heat**0.5)
            _draw_box(panel, found.bboxes[index], 'tab:cyan', 1.5)
            _zoom(panel, found.bboxes[index], width, height)
            share = f'{100 * inside:.0f} % of heat in box' if heat.any() else 'no heat'
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
        truth (InstanceData, optional): The annotated objects.
        class_names (Sequence[str]): Names of the classes.
        out_file (str): The picture to write.
    """
    image = mmcv.imread(path, channel_order='rgb')
    height, width = image.shape[:2]
    size = (14, max(6 * height / width + 0.6, 3))
    with figure(out_file, 2, size, legend_outside=True) as panels:
        for panel, name, side in zip(
            panels, ('plain', 'with attention'), (plain, attention)
        ):
            panel.imshow(image)
            for box in () if truth is None else truth.bboxes:
                _draw_box(panel, box, 'cyan', 1.2, linestyle=':')
            # Those that both have first, so that they hide nothing.
            for index in np.argsort(~side.shared, kind='stable'):
                box, label = side.found.bboxes[index], side.found.labels[index]
                if side.shared[index]:
                    _draw_box(panel, box, '0.8', 1)
                else:
                    text = f'{class_names[label]} {side.found.scores[index]:.2f}'
                    _draw_box(panel, box, _COLORS[side.right[index]], 2.5, text=text)
            counts = side.only_here()
            known = [f'{counts[v]} {VERDICTS[v]}' for v in (True, False) if counts[v]]
            title = f'{name}: {len(side.found)} found, {sum(counts.values())} only here'
            title += f': {", ".join(known)}' if known else ''
            panel.set_title(title, fontsize='medium')
            panel.set_axis_off()
        panels[0].plot([], [], color='0.8', linewidth=1, label='both have it')
        for verdict in (None,) if truth is None else (True, False):
            label = (
                'only here' if verdict is None else f'only here, {VERDICTS[verdict]}'
            )
            panels[0].plot([], [], color=_COLORS[verdict], linewidth=2.5, label=label)
        if truth is not None:
            panels[0].plot([], [], color='cyan', linestyle=':', label='annotated')


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
    panel: Any, box: np.ndarray, color: str, width: float, text: str = '', **style: Any
) -> None:
    """Draws a box (x1, y1, x2, y2) with a text at its upper left corner."""
    from matplotlib.patches import Rectangle

    x1, y1, x2, y2 = box
    style.update(fill=False, edgecolor=color, linewidth=width)
    panel.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, **style))
    bottom, top = panel.get_ylim()
    has_room = y1 - top > 0.08 * (bottom - top)
    panel.text(
        *(x1, y1, text),
        color='white',
        fontsize='x-small',
        verticalalignment='bottom' if has_room else 'top',
        clip_on=True,
        bbox=dict(facecolor=color, edgecolor='none', pad=1, visible=bool(text)),
    )
