"""``python -m mmdet_eca`` is the command ``mmdet-eca``."""

from .commands import main

if __name__ == '__main__':
    main()
