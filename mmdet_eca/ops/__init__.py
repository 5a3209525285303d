"""Folding: norms and attention inside of convolutions."""

from .attention_tail import attention_tail
from .folding import conv_norm, fold_norm, has_hooks, is_foldable, run_folded
from .tracing import as_node

__all__ = [
    'as_node',
    'attention_tail',
    'conv_norm',
    'fold_norm',
    'has_hooks',
    'is_foldable',
    'run_folded',
]
