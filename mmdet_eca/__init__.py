"""Efficient Channel Attention (ECA-Net, CVPR 2020) for MMDetection.

Importing this package registers its modules in mmdet's registries, makes
``_base_ = 'mmdet_eca::...'`` and ``checkpoint='timm://...'`` known to mmengine,
and lets ``torch.load(weights_only=True)`` read mmengine's checkpoints.
"""

from .dependencies import check_dependencies

check_dependencies()

from . import evaluation, mmdet1x  # noqa: F401, registers their modules
from .config_paths import config_path, register_config_prefix
from .errors import UserError
from .models import *  # noqa: F403
from .models import __all__ as _models
from .training import hooks  # noqa: F401
from .weights.prefixes import register_prefixes
from .weights.safe_globals import allow_mmengine_checkpoints

allow_mmengine_checkpoints()
register_config_prefix()
register_prefixes()

__version__ = '0.1.0'
__all__ = ['UserError', 'config_path', *_models]
