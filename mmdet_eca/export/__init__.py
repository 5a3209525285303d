"""Detectors as ONNX files, from the image to boxes, scores, labels and masks."""

from .checking import Checked, check, evaluate
from .detectors import exportable
from .export import ExportReport, describe, export_detector
from .onnx_detector import OnnxDetector, normalise, paste_masks

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
