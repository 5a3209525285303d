"""mmdet's necks with attention."""

from .attention_neck import AttentionNeck

__all__ = ['AttentionNeck']
