"""mmcv's operators in PyTorch, NumPy and torchvision, without compiling.

``mmcv-lite`` has every Python wrapper of ``mmcv.ops``; what it lacks is the compiled
module ``mmcv._ext``. :mod:`mmcv_operators.extension` has its functions that MMDetection
uses, with the same arguments and results, on every device.

:func:`fill_gap` makes it ``mmcv._ext`` in this process if mmcv has none, and
``python -m mmcv_operators`` in all processes. A compiled module wins over both.

This package imports neither mmcv nor mmdet_eca: mmcv imports it.
"""

from .install import fill_gap, has_compiled_operators, install

__all__ = ['fill_gap', 'has_compiled_operators', 'install']
