"""Attention, and the backbones and necks that have it."""

from . import attention, backbones, necks
from .attention import *  # noqa: F403
from .backbones import *  # noqa: F403
from .necks import *  # noqa: F403

__all__ = attention.__all__ + backbones.__all__ + necks.__all__
