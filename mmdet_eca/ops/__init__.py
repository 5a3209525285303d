"""Faster forms of operations: norms and attention folded, and RoIAlign."""

from .folding import conv_norm, fold_norm, has_hooks, is_foldable, run_folded
from .gate_add_relu import fused_gate_add_relu
from .norm_gate_add_relu import can_fuse_norm, fused_norm_gate_add_relu
from .roi_align import ChannelsLastRoIAlign
from .tracing import as_node

__all__ = [
    'ChannelsLastRoIAlign',
    'as_node',
    'can_fuse_norm',
    'conv_norm',
    'fold_norm',
    'fused_gate_add_relu',
    'fused_norm_gate_add_relu',
    'has_hooks',
    'is_foldable',
    'run_folded',
]
