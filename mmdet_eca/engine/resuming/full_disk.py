import functools
from logging import Logger
from typing import Any

from mmengine.visualization import Visualizer


def log_without_room(visualizer: Visualizer, logger: Logger) -> None:
    """Makes a training go on when there is no room for what it logs.

    mmengine's visualizer writes a line for each logged iteration, and would end the
    training with the disk's error. The first line that is lost is reported.

    Args:
        visualizer (Visualizer): Of the run.
        logger (Logger): Of the run.
    """
    add_scalars = visualizer.add_scalars
    said = False

    @functools.wraps(add_scalars)
    def add_or_leave_out(*args: Any, **kwargs: Any) -> None:
        nonlocal said
        try:
            add_scalars(*args, **kwargs)
        except OSError as error:
            if not said:
                logger.error(f'what is logged could not be written: {error}')
            said = True

    visualizer.add_scalars = add_or_leave_out
