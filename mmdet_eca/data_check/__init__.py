"""Checks a whole data set in COCO's format, and reports what is wrong by kind.

``check_data.py`` does all of it: the checks are those of ``mmdet_eca.datasets``;
``anchors.py`` knows what a detector can find, ``both_sets.py`` compares training and
validation, ``report.py`` says it to people and to programs.
"""

from .anchors import Anchors, anchors_of
from .check_data import check_data
from .report import Report

__all__ = ['Anchors', 'Report', 'anchors_of', 'check_data']
