"""Channel attention, and the backbones that have it."""

from . import attention, backbones
from .attention import *  # noqa: F403
from .backbones import *  # noqa: F403

__all__ = attention.__all__ + backbones.__all__
