"""The size that images are resized to, proposed from the sizes of the objects."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .coco_file import CocoFile

BASE = (1333, 800)  # the configs of configs/ have it: a box that the image fits into
LARGEST = 1200  # shorter side; more than twice the memory of 800
SMALLEST_ANCHOR = 32  # side in pixels, of Faster and Mask R-CNN and of RetinaNet
ENLARGED = 800 / 480  # what BASE does to COCO's images, most of which are 640 x 480
DIVISOR = 32  # batches are padded to its multiples


@dataclass(frozen=True)
class Scale:
    """A proposed scale.

    Attributes:
        short (int): Shorter side of the box that images are resized to fit into, in
            pixels; 800 is that of COCO.
        factor (float): How many times as large the median image becomes.
        small (float): A quarter of the objects is smaller than this at that scale,
            sqrt(width * height) in pixels.
        image (tuple[int]): Width and height of the median image.
        reason (str): Why, a sentence.
    """

    short: int
    factor: float
    small: float
    image: tuple[int, int]
    reason: str

    @property
    def box(self) -> tuple[int, int]:
        """Returns the ``scale`` of mmdet's ``Resize``."""
        return resized(BASE, self.short)

    @property
    def is_small(self) -> bool:
        """Whether objects stay smaller than the anchors all the same."""
        return self.small < SMALLEST_ANCHOR - 0.5

    def __str__(self) -> str:
        width, height = self.image
        return (
            f'{self.reason} An image of {width} x {height}, the median, is scaled by '
            f'{self.factor:.2g}. A quarter of the objects is then smaller than '
            f'{self.small:.0f} pixels; the smallest anchor of Faster R-CNN, Mask R-CNN '
            f'and RetinaNet has {SMALLEST_ANCHOR}.'
        )


def propose_scale(data: CocoFile, short: int | None = None) -> Scale:
    """Proposes the scale for a data set.

    Images are enlarged as 1333x800 enlarges COCO's, 5/3 times, and more if a quarter of
    the objects would be smaller than the smallest anchor; but not beyond 1333x800.
    Larger images are reduced to that. If the objects are too small then, the scale goes
    up to 2000x1200.

    Args:
        data (CocoFile): The training data.
        short (int, optional): The scale that the user asks for.
    """
    # Of the box of 1333:800 around each image, the shorter side.
    sides = np.maximum(data.sizes.min(1), data.sizes.max(1) * BASE[1] / BASE[0])
    relative = data.object_sizes() / sides[data.images[data.is_used]]
    quarter = float(np.percentile(relative, 25))
    needed = SMALLEST_ANCHOR / quarter
    side = float(np.median(sides))
    if short is not None:
        reason = 'As asked for.'
    elif needed > BASE[1]:
        short = min(_round_up(needed), LARGEST)
        reason = 'Larger than for COCO, since the objects are small.'
    elif max(needed, ENLARGED * side) > BASE[1] - DIVISOR:
        short = BASE[1]
        reason = 'As for COCO.'
    elif needed > ENLARGED * side:
        short = _round_up(needed)
        reason = 'Small images, enlarged until the objects have the size of anchors.'
    else:
        short = _round_up(ENLARGED * side)
        reason = 'Small images, enlarged as those of COCO are.'
    width, height = np.median(data.sizes, axis=0).round().astype(int).tolist()
    return Scale(short, short / side, quarter * short, (width, height), reason)


def resized(value: Any, short: int) -> Any:
    """Multiplies numbers in nested tuples or lists by ``short`` / 800."""
    if isinstance(value, (tuple, list)):
        return type(value)(resized(part, short) for part in value)
    return round(value * short / BASE[1])


def resize_pipeline(pipeline: Any, short: int) -> Any:
    """Multiplies the sizes of images and crops in a pipeline by ``short`` / 800."""
    if isinstance(pipeline, dict):
        return {
            key: resized(value, short)
            if key in ('scale', 'scales', 'crop_size')
            else resize_pipeline(value, short)
            for key, value in pipeline.items()
        }
    if isinstance(pipeline, (list, tuple)):
        return type(pipeline)(resize_pipeline(part, short) for part in pipeline)
    return pipeline


def _round_up(side: float) -> int:
    return DIVISOR * math.ceil(side / DIVISOR)
