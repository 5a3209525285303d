"""Pictures and tables: predictions, training curves, text."""

from .curves import draw_curves
from .detections import draw_detections
from .figures import figure
from .predictions import draw_predictions
from .text_tables import markdown_table, text_table

__all__ = [
    'draw_curves',
    'draw_detections',
    'draw_predictions',
    'figure',
    'markdown_table',
    'text_table',
]
