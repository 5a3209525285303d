"""``python -m mmcv_operators`` gives an mmcv without operators these, and says so."""

import sys

from .install import install

if __name__ == '__main__':
    try:
        print(f'mmcv_operators: {install()}')
    except RuntimeError as error:
        sys.exit(f'mmcv_operators: error: {error}')
