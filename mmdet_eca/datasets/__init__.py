"""Reads COCO annotation files, and says what in them would spoil a training.

``reading.py`` reads a file, piece by piece (``json_lists.py``), into a ``CocoFile``;
``masks.py`` looks at polygons and RLE. ``coco_checks.py`` compares it with what
MMDetection does, ``image_files.py`` with the images. ``kinds.py`` lists what can be
wrong, ``findings.py`` holds what is; ``before_training.py`` is the quick part.
"""

from .before_training import quick_check
from .coco_checks import (
    check_coco_file,
    check_objects,
    check_same_classes,
    find_other_classes,
)
from .coco_file import CocoFile
from .findings import Finding, Findings
from .image_files import (
    ImageFile,
    check_folder,
    check_images,
    is_size_credible,
    read_image_file,
)
from .json_lists import iterate_list, iterate_lists, read_categories
from .kinds import KINDS, SEVERITIES, Kind
from .masks import decode_counts
from .reading import read_coco_file, read_first_objects

__all__ = [
    'KINDS',
    'SEVERITIES',
    'CocoFile',
    'Finding',
    'Findings',
    'ImageFile',
    'Kind',
    'check_coco_file',
    'check_folder',
    'check_images',
    'check_objects',
    'check_same_classes',
    'decode_counts',
    'find_other_classes',
    'is_size_credible',
    'iterate_list',
    'iterate_lists',
    'quick_check',
    'read_categories',
    'read_coco_file',
    'read_first_objects',
    'read_image_file',
]
