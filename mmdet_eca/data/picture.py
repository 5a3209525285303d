"""A picture of a data set: how large, of which classes and where its objects are."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..visualization import figure
from .coco_file import CocoFile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CLASSES = 30  # that are named
_CELLS = 40  # of the map, in each direction
_AREAS = (32, 96)  # COCO's limits of small, medium and large, as sqrt(area)


def draw_data(
    data: CocoFile,
    resized: np.ndarray,
    anchors: Sequence[float],
    scale: tuple[int, int],
    out_file: str,
) -> None:
    """Draws sizes of objects, classes, positions and sizes of images.

    Args:
        data (CocoFile): The data set.
        resized (np.ndarray): sqrt(width * height) of the objects that are trained
            with, at the scale of the test, in pixels.
        anchors (Sequence[float]): Sizes of the anchors in pixels.
        scale (tuple[int]): Width and height of the box that images are resized into.
        out_file (str): The picture to write.
    """
    with (
        warnings.catch_warnings(),
        figure(out_file, panels=4, size=(13, 9), columns=2) as panels,
    ):
        # Names in an alphabet that the font lacks show as boxes.
        warnings.filterwarnings('ignore', 'Glyph')
        _draw_object_sizes(panels[0], data, resized, anchors, scale)
        _draw_classes(panels[1], data)
        _draw_positions(panels[2], data)
        _draw_image_sizes(panels[3], data)


def _draw_object_sizes(
    axes: 'Axes',
    data: CocoFile,
    resized: np.ndarray,
    anchors: Sequence[float],
    scale: tuple[int, int],
) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter  # see figure

    sizes = data.object_sizes()
    everything = np.concatenate([sizes, resized, anchors, _AREAS])
    low, high = max(1, everything.min() / 1.2), everything.max() * 1.2
    bins = np.geomspace(low, high, 50).tolist()
    axes.hist(sizes, bins, alpha=0.6, label='in the image')
    label = f'as the detector sees them, at {scale[0]} x {scale[1]}'
    axes.hist(resized, bins, histtype='step', linewidth=2, label=label)
    # A label that begins with _ is not in the legend.
    for limit, label in zip(_AREAS, ('limits of small, medium, large (COCO)', '_')):
        axes.axvline(limit, color='black', linestyle='--', linewidth=1, label=label)
    for i, size in enumerate(anchors):
        label = '_' if i else 'sizes of anchors'
        axes.axvline(size, 0, 0.04, color='tab:red', linewidth=3, label=label)
    axes.set(
        xscale='log',
        title=f'sizes of {len(sizes):,} objects',
        xlabel='sqrt(width x height) in pixels',
        ylabel='objects',
        ylim=(0, 1.3 * axes.get_ylim()[1]),  # room for the legend
    )
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter('{x:g}')
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter('{x:,g}')


def _draw_classes(axes: 'Axes', data: CocoFile) -> None:
    counts = np.bincount(data.labels[data.is_used], minlength=len(data.classes))
    order = np.argsort(-counts, kind='stable')
    names = [_short(data.classes[i]) for i in order[:_CLASSES]]
    values = counts[order[:_CLASSES]].tolist()
    others = counts[order[_CLASSES:]]
    if len(others):  # all together they would dwarf the rest
        names.append(f'mean of {len(others)} others')
        values.append(others.mean())
    colors = ['tab:blue'] * _CLASSES + ['tab:gray']
    bars = axes.barh(range(len(names)), values, color=colors[: len(names)])
    axes.bar_label(bars, [f'{v:,.0f}' for v in values], fontsize=7, padding=2)
    size = 7 if len(names) > 15 else 9
    axes.set_yticks(range(len(names)), names, fontsize=size, parse_math=False)
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.02)
    axes.set(title='objects by class', xlabel='objects')
    axes.xaxis.set_major_formatter('{x:,g}')


def _draw_positions(axes: 'Axes', data: CocoFile) -> None:
    boxes = data.boxes[data.is_used]
    sizes = data.sizes[data.images[data.is_used]]
    x, y = ((boxes[:, :2] + boxes[:, 2:] / 2) / sizes).T
    counts, _, _ = np.histogram2d(y, x, _CELLS, ((0, 1), (0, 1)))
    picture = axes.imshow(counts, extent=(0, 1, 1, 0), aspect='auto', zorder=2)
    axes.figure.colorbar(picture, ax=axes, label='objects in a cell')
    axes.set(
        title='where the centres of boxes are',
        xlabel='part of the width of the image',
        ylabel='part of the height, from above',
    )


def _draw_image_sizes(axes: 'Axes', data: CocoFile) -> None:
    sizes, counts = np.unique(data.sizes, axis=0, return_counts=True)
    areas = 20 + 400 * counts / counts.max()
    style = dict(s=areas, alpha=0.5, edgecolors='black', linewidths=0.5)
    axes.scatter(sizes[:, 0], sizes[:, 1], **style)
    most = np.argmax(counts)
    width, height = sizes[most]
    axes.annotate(
        f'{width:g} x {height:g}: {counts[most]:,} images',
        (width, height),
        xytext=(0, 16),
        textcoords='offset points',
        ha='right' if width > sizes.max() / 2 else 'left',
        bbox=dict(facecolor='white', alpha=0.8, edgecolor='none', pad=1),
    )
    limits = (0, 1.15 * sizes.max())
    axes.set(
        title=f'sizes of {len(data.file_names):,} images (a larger dot: more images)',
        xlabel='width in pixels',
        ylabel='height in pixels',
        xlim=limits,
        ylim=limits,
    )


def _short(name: str, limit: int = 24) -> str:
    name = ' '.join(name.split())
    name = name if name.isprintable() else repr(name)[1:-1]
    return name if len(name) <= limit else f'{name[: limit - 1]}…'
