"""Pictures of what two detectors find in the same image."""

from collections.abc import Sequence
from typing import Any

import mmcv

from ..visualization import figure
from .activation_pictures import draw_box
from .differences import Compared
from .inputs import Objects

_COLORS = {True: 'tab:green', False: 'tab:red', None: 'tab:orange'}
_WORDS = {True: 'right', False: 'wrong', None: 'unknown'}


def draw_differences(
    path: str,
    plain: Compared,
    attention: Compared,
    truth: Objects | None,
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
        truth (Objects, optional): What is annotated.
        class_names (Sequence[str]): Names of the classes.
        out_file (str): The picture to write.
    """
    from matplotlib.lines import Line2D

    image = mmcv.imread(path, channel_order='rgb')
    height, width = image.shape[:2]
    panel_width = 6.0
    size = (2 * panel_width + 2, max(panel_width * height / width + 0.6, 3))
    with figure(out_file, 2, size, legend_outside=True) as panels:
        for panel, name, side in zip(
            panels, ('plain', 'with attention'), (plain, attention)
        ):
            panel.imshow(image)
            for box in truth.boxes if truth is not None else ():
                draw_box(panel, box, '', 'cyan', 1.2, ':')
            _draw_side(panel, side, class_names)
            panel.set_title(f'{name}: {summary(side)}', fontsize='medium')
            panel.set_axis_off()
        verdicts = (True, False) if truth is not None else (None,)
        lines: list[tuple[dict[str, Any], str]] = [
            (dict(color=_COLORS[verdict], linewidth=2.5), f'only here{_right(verdict)}')
            for verdict in verdicts
        ]
        lines.append((dict(color='0.8', linewidth=1), 'both have it'))
        if truth is not None:
            lines.append((dict(color='cyan', linestyle=':'), 'annotated object'))
        for style, label in lines:
            panels[0].add_line(Line2D([], [], label=label, **style))


def summary(side: Compared) -> str:
    """'9 found, 2 only here: 1 right, 1 wrong', for a title."""
    counts = side.only_here()
    parts = [
        f'{count} {_WORDS[verdict]}'
        for verdict, count in counts.items()
        if count and verdict is not None
    ]
    only = sum(counts.values())
    more = f': {", ".join(parts)}' if parts else ''
    return f'{len(side.found)} found, {only} only here{more}'


def _draw_side(panel: Any, side: Compared, class_names: Sequence[str]) -> None:
    found = side.found
    # Those that both have first, so that they hide nothing.
    for index in sorted(range(len(found)), key=lambda index: not side.shared[index]):
        label = f'{class_names[found.labels[index]]} {found.scores[index]:.2f}'
        if side.shared[index]:
            draw_box(panel, found.boxes[index], '', '0.8', 1)
        else:
            color = _COLORS[side.right[index]]
            draw_box(panel, found.boxes[index], label, color, 2.5)


def _right(verdict: bool | None) -> str:
    return '' if verdict is None else f' and {_WORDS[verdict]}'
