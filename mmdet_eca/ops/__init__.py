"""Faster forms of operations: norms and attention folded, and RoIAlign."""

from .attention_tail import attention_tail
from .folding import conv_norm, fold_norm, has_hooks, is_foldable, run_folded
from .norm_attention_tail import norm_attention_tail, uses_batch_statistics
from .roi_align import ChannelsLastRoIAlign
from .tracing import as_node

__all__ = [
    'ChannelsLastRoIAlign',
    'as_node',
    'attention_tail',
    'conv_norm',
    'fold_norm',
    'has_hooks',
    'is_foldable',
    'norm_attention_tail',
    'run_folded',
    'uses_batch_statistics',
]
