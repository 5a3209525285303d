from . import attention, backbones, classifiers, legacy
from .attention import *  # noqa: F403
from .backbones import *  # noqa: F403
from .classifiers import *  # noqa: F403
from .legacy import *  # noqa: F403

__all__ = (
    attention.__all__ + backbones.__all__ + classifiers.__all__ +
    legacy.__all__)
