"""The detectors of ``configs/``, by the names that users give them."""

import glob
import os.path as osp
import re

from ..config_paths import config_path
from ..errors import UserError
from .coco_file import CocoFile

WITH_MASKS = 'mask_rcnn_eca_r50'
WITH_BOXES = 'faster_rcnn_eca_r50'


def find_detector(name: str | None, data: CocoFile) -> str:
    """Returns the file name of a detector's config.

    Args:
        name (str, optional): A config of ``configs/`` with or without '_fpn_1x' and
            '.py', such as 'mask_rcnn_eca_r50'. By default Mask R-CNN if the data have
            masks, else Faster R-CNN, both ECA-ResNet-50.
        data (CocoFile): The training data.

    Raises:
        UserError: If there is no such detector; the message lists all.
    """
    configs = detectors()
    stem = name or (WITH_MASKS if data.has_masks else WITH_BOXES)
    stem = short_name(re.sub(r'^(\./)?configs/', '', stem))
    if stem in configs:
        return configs[stem]
    raise UserError(
        f'there is no detector {name!r}: choose from {", ".join(sorted(configs))}'
    )


def detectors() -> dict[str, str]:
    """Returns the file names of all detectors' configs, by their short names."""
    folder = osp.dirname(config_path('mask_rcnn_eca_r50_fpn_1x.py'))
    files = [osp.basename(path) for path in glob.glob(osp.join(folder, '*.py'))]
    return {short_name(file): file for file in files}


def short_name(file: str) -> str:
    """Shortens 'mask_rcnn_eca_r50_fpn_1x.py' to 'mask_rcnn_eca_r50'.

    A config of another schedule keeps its whole name.
    """
    return re.sub(r'(_(fpn(_gn-head)?_1x|4scale_12e))?(\.py)?$', '', file)
