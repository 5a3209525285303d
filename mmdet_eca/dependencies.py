"""What this package stands on, and how to get what is missing."""

import sys
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec

# The least version that the tests were run with, and where to get it. The fork's
# packages (onedl-mmengine, onedl-mmcv, onedl-mmdetection) have the same names.
DEPENDENCIES = dict(
    mmengine=('0.10.7', 'pip install mmengine'),
    torch=('2.1.2', 'pip install torch==2.13.0'),
    mmcv=(
        '2.1.0',
        'pip install openmim and mim install mmcv==2.1.0, or compile '
        'it, see "Install" in the README',
    ),
    mmdet=('3.3.0', 'pip install mmdet==3.3.0'),
)


def check_dependencies() -> None:
    """Checks that every dependency is installed and new enough.

    ``pip install mmdet_eca`` does not bring mmcv, mmengine and mmdet along: it
    would overwrite their fork.

    Raises:
        ImportError: If one is missing or too old, or the compiled operators of
            mmcv do not load; the message says how to get it.
    """
    for name, (least, remedy) in DEPENDENCIES.items():
        if find_spec(name) is None:
            raise ImportError(
                f'mmdet_eca needs {name} {least} or later, which '
                f'is not installed: {remedy}'
            )
        from mmengine.utils import digit_version  # mmengine is the first

        version = import_module(name).__version__
        if digit_version(version) < digit_version(least):
            raise ImportError(
                f'mmdet_eca needs {name} {least} or later, '
                f'{version} is installed: {remedy}'
            )
        if name == 'mmcv':
            try:
                import_module('mmcv._ext')
            except ImportError as error:
                raise ImportError(
                    f'mmdet_eca needs the compiled operators of mmcv, which do '
                    f'not load here ({error}): mmcv-lite has none, and others '
                    f'fit the torch that they were compiled against: {remedy}'
                ) from None
    # The fork prints while it is imported, into what a tool prints for others.
    with redirect_stdout(sys.stderr):
        import_module('mmdet.datasets')
