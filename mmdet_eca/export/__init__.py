"""Detectors as ONNX files, from the image to boxes, scores, labels and masks."""

from .checking import Checked, check
from .evaluation import evaluate
from .export import describe, export_detector
from .kinds import exportable
from .onnx_detector import OnnxDetector, normalise, paste_masks
from .report import ExportReport

__all__ = [
    'Checked',
    'ExportReport',
    'OnnxDetector',
    'check',
    'describe',
    'evaluate',
    'export_detector',
    'exportable',
    'normalise',
    'paste_masks',
]
