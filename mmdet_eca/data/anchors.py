"""The sizes of images as a detector sees them, and of its anchors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from mmdet.registry import TASK_UTILS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..errors import UserError
from ..training.config import innermost_datasets, values_of
from .coco_file import CocoFile

_MANY = 0.25  # of all objects, for a warning


@dataclass(frozen=True)
class Anchors:
    """The anchors of a detector, and the scale at which it is tested.

    Attributes:
        sizes (tuple[float]): sqrt(width * height) of the anchors in pixels, ascending;
            empty of a detector without anchors.
        scale (tuple[int]): Longer and shorter side of the box that images are resized
            to fit into.
        source (str): Name of the detector, for a text.
    """

    sizes: tuple[float, ...] = (32, 64, 128, 256, 512)
    scale: tuple[int, int] = (1333, 800)
    source: str = 'Faster R-CNN'

    def object_sizes(self, data: CocoFile) -> np.ndarray:
        """Returns sqrt(width * height) of the boxes that are trained with.

        In pixels at the test scale, in the order of ``data.is_used``.
        """
        sides = data.sizes[data.images[data.is_used]]
        long, short = max(self.scale), min(self.scale)
        factors = np.minimum(long / sides.max(1), short / sides.min(1))
        return data.object_sizes() * factors

    def find_small_objects(self, data: CocoFile) -> None:
        """Adds the objects that are smaller than the smallest anchor.

        A note; from a quarter of the objects on, a warning.
        """
        if not self.sizes:
            return
        used = np.flatnonzero(data.is_used)
        small = used[self.object_sizes(data) < self.sizes[0] - 0.5]
        data.findings.add(
            'small-objects',
            [data.ids[i] for i in small],
            len(used),
            severity='warning' if len(small) > _MANY * len(used) else None,
            detail=f' of {self.source}, {self.sizes[0]:.0f} pixels, at the test scale '
            f'of {self.scale[0]} x {self.scale[1]}',
        )


def anchors_of(cfg: Config | None, name: str = '') -> Anchors:
    """Reads anchors and test scale from a detector's config.

    Args:
        cfg (Config, optional): A config; by default the anchors and the scale of
            MMDetection's Faster R-CNN: from 32 pixels on, 1333 x 800.
        name (str): The config's name, for messages.

    Raises:
        UserError: If its test pipeline does not resize.
    """
    if cfg is None:
        return Anchors()
    init_default_scope(cfg.get('default_scope') or 'mmdet')
    sizes: set[float] = set()
    for generator in values_of(cfg.get('model'), 'anchor_generator'):
        for anchors in TASK_UTILS.build(generator).base_anchors:
            width, height = (anchors[:, 2:] - anchors[:, :2]).T
            sizes |= {round(float(s), 2) for s in (width * height).sqrt()}
    for step in test_pipeline(cfg):
        scale: Any = step.get('scale')
        if scale is not None:
            sides = scale if isinstance(scale, (tuple, list)) else (scale, scale)
            return Anchors(tuple(sorted(sizes)), (int(sides[0]), int(sides[1])), name)
    raise UserError(
        f'config {name} has no Resize with a scale in its test pipeline: name a '
        "detector's config"
    )


def test_pipeline(cfg: Config) -> list[dict]:
    """Returns the pipeline of a config's test or validation set, or an empty list."""
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
    for dataset in innermost_datasets(loader.get('dataset', {})):
        return dataset.get('pipeline') or []
    return []
