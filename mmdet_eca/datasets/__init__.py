"""Reads COCO annotation files, and says what in them would spoil a training.

``json_lists.py`` reads the file piece by piece, ``coco_file.py`` keeps what a detector
needs of it, ``coco_checks.py`` compares that with what MMDetection does.
"""

from .coco_checks import check_coco_file, check_same_classes
from .coco_file import CocoFile, read_coco_file
from .json_lists import iterate_lists, read_categories

__all__ = [
    'CocoFile',
    'check_coco_file',
    'check_same_classes',
    'iterate_lists',
    'read_categories',
    'read_coco_file',
]
