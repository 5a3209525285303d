"""Efficient Channel Attention (ECA-Net, CVPR 2020) for MMDetection.

Importing this package registers its modules in mmdet's registries, makes
``_base_ = 'mmdet_eca::...'`` known to mmengine's configs, and lets torch's safe
loading read mmengine's checkpoints.
"""
from . import datasets, evaluation  # noqa: F401, registers them
from .engine import (allow_mmengine_checkpoints, config_path,
                     register_config_prefix)
from .errors import UserError
from .models import (AttentionResNet, ChannelAttention, ECALayer, ECAResNet,
                     ImageClassifier, eca_kernel_size)

allow_mmengine_checkpoints()
register_config_prefix()

__version__ = '0.1.0'
__all__ = [
    'AttentionResNet', 'ChannelAttention', 'ECALayer', 'ECAResNet',
    'ImageClassifier', 'UserError', 'config_path', 'eca_kernel_size'
]
