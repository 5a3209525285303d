"""Which packages this one needs, and how to install what is missing."""

import sys
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from mmcv_operators import fill_gap, has_compiled_operators

from .errors import UserError

# The lowest version that the tests were run with, and how to install it. The
# maintained fork (onedl-mmengine, onedl-mmcv, onedl-mmdetection) has the same
# import names.
DEPENDENCIES = dict(
    mmengine=('0.10.7', 'pip install mmengine'),
    torch=('2.6.0', 'pip install torch'),
    mmcv=('2.1.0', 'pip install mmcv-lite==2.1.0'),
    mmdet=('3.3.0', 'pip install mmdet==3.3.0'),
)


def check_dependencies() -> None:
    """Checks that every dependency is installed and new enough.

    pip cannot do this: if mmcv, mmengine and mmdet were requirements of this
    package, pip would install them over their fork, which has other names on the
    index. An mmcv without compiled operators takes those of ``mmcv_operators``.

    Raises:
        ImportError: If one is missing or too old, or the compiled operators of
            mmcv do not load; the message says how to get it.
    """
    for name, (lowest, remedy) in DEPENDENCIES.items():
        if find_spec(name) is None:
            raise ImportError(
                f'mmdet_eca needs {name} {lowest} or later, which '
                f'is not installed: {remedy}'
            )
        from mmengine.utils import digit_version  # installed: the first in the list

        version = import_module(name).__version__
        if digit_version(version) < digit_version(lowest):
            raise ImportError(
                f'mmdet_eca needs {name} {lowest} or later, '
                f'{version} is installed: {remedy}'
            )
        if name == 'mmcv':
            fill_gap()
            try:
                import_module('mmcv._ext')
            except ImportError as error:
                raise ImportError(
                    'the compiled operators of mmcv do not load here, since they fit '
                    f'the torch that they were compiled against ({error}): pip '
                    'uninstall mmcv and pip install mmcv-lite==2.1.0, which needs none'
                ) from None
    # The fork prints while it is imported; a tool's own output stays free of it.
    with redirect_stdout(sys.stderr):
        import_module('mmdet.datasets')


def operators_run_on_gpus() -> bool:
    """Returns whether mmcv's operators run on a GPU: compiled ones may not."""
    if not has_compiled_operators():
        return True
    from mmcv.ops import get_compiling_cuda_version

    return get_compiling_cuda_version() != 'not available'


def require(module: str, extra: str, lowest: str = '0', remedy: str = '') -> Any:
    """Imports a package that only some commands need.

    Args:
        module (str): Its name in Python.
        extra (str): The extra of this package that installs it.
        lowest (str): Its lowest version that the tests were run with.
        remedy (str): How to install it, by default by the extra.

    Returns:
        module: The package.

    Raises:
        UserError: If it is not installed, does not run here or is too old.
    """
    from mmengine.utils import digit_version

    remedy = remedy or f"pip install 'mmdet_eca[{extra}]'"
    try:
        package = import_module(module)
    except Exception as error:  # torchvision beside another torch raises its own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f'{module} cannot be imported ({reason}): {remedy}') from None
    version = getattr(package, '__version__', lowest)
    if digit_version(version) < digit_version(lowest):
        raise UserError(
            f'{module} {version} is installed, but {lowest} or later is needed: '
            f'{remedy}'
        )
    return package
