"""A user's data in COCO's format: checked by using them, and a config for them.

``coco_file.py`` reads an annotation file, ``objects.py`` compares it with what
MMDetection does, ``images.py`` reads the images as training does, and
``evaluation.py`` evaluates the annotations as detections. ``kinds.py`` lists what can
be wrong. ``check_data.py`` checks a whole data set, ``before_run.py`` part of one, and
``new_config.py`` writes a config that trains.
"""

from .anchors import Anchors, anchors_of
from .before_run import quick_check
from .check_data import check_data
from .coco_file import CocoFile, read_categories, read_coco_file
from .evaluation import check_evaluation
from .findings import Finding, Findings
from .kinds import KINDS, SEVERITIES, Kind
from .new_config import write_config
from .picture import draw_data
from .report import Report

__all__ = [
    'KINDS',
    'SEVERITIES',
    'Anchors',
    'CocoFile',
    'Finding',
    'Findings',
    'Kind',
    'Report',
    'anchors_of',
    'check_data',
    'check_evaluation',
    'draw_data',
    'quick_check',
    'read_categories',
    'read_coco_file',
    'write_config',
]
