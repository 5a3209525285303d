from .attention_tail import attention_tail
from .folding import (
    conv_norm,
    folded_conv_norm,
    forget_folded,
    has_hooks,
    is_foldable,
    run_folded,
)
from .tracing import as_node

__all__ = [
    'as_node',
    'attention_tail',
    'conv_norm',
    'folded_conv_norm',
    'forget_folded',
    'has_hooks',
    'is_foldable',
    'run_folded',
]
