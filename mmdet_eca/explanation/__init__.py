"""Shows what attention does in a detector: gates, activation maps, differences.

``show_attention`` does all of it. The parts are functions, too: the weights of the
channels (``gates.py``), where the evidence for a detection lies
(``activation_maps.py``), and what only one of two detectors finds
(``differences.py``), each with its pictures.
"""

from .activation_maps import METHODS, ActivationMap, activation_maps
from .detection_pictures import draw_activation_maps, draw_differences
from .differences import Compared, compare, match
from .gate_pictures import draw_gates, draw_variations
from .gates import (
    Gates,
    GateVariation,
    Layer,
    attention_layers,
    channel_weights,
    constant_gates,
    gate_variation,
    recorded_gates,
    stack_gates,
)
from .inputs import Input, detect, read_dataset, read_images
from .show_attention import PARTS, Settings, show_attention

__all__ = [
    'METHODS',
    'PARTS',
    'ActivationMap',
    'Compared',
    'GateVariation',
    'Gates',
    'Input',
    'Layer',
    'Settings',
    'activation_maps',
    'attention_layers',
    'channel_weights',
    'compare',
    'constant_gates',
    'detect',
    'draw_activation_maps',
    'draw_differences',
    'draw_gates',
    'draw_variations',
    'gate_variation',
    'match',
    'read_dataset',
    'read_images',
    'recorded_gates',
    'show_attention',
    'stack_gates',
]
