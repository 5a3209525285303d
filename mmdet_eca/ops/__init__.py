"""Norms and attention inside of the operations around them."""

from .attention_tail import attention_tail
from .folding import conv_norm, fold_norm, has_hooks, is_foldable, run_folded
from .norm_attention_tail import norm_attention_tail, uses_batch_statistics
from .tracing import as_node

__all__ = [
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
