import gc
from collections.abc import Iterator
from contextlib import contextmanager
from logging import FileHandler, LogRecord
from typing import Any

from mmdet.registry import RUNNERS
from mmdet.utils import setup_cache_size_limit_of_dynamo
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from .checks import check_config
from .distributed import has_accelerator, prepare_distributed
from .hooks import ChannelsLastHook, SummaryHook
from .resuming import choose_checkpoint
from .safe_training import use_safe_training
from .whole_checkpoint_hook import WholeCheckpointHook

# The first words of mmengine's long messages before the first step, 500 lines in all.
# SummaryHook gives a summary instead.
_ONLY_FOR_THE_FILE = ('System environment:', 'Config:', 'Hooks will be executed')


class QuickStartRunner(Runner):
    """mmengine's runner, with less to wait for and to read before the first step.

    Environment, config and hooks stand in the log file alone. Data sets are read
    without Python's garbage collector.
    """

    @staticmethod
    def build_dataloader(*args: Any, **kwargs: Any) -> DataLoader:
        """Builds a data loader; see :meth:`mmengine.runner.Runner.build_dataloader`."""
        with _no_garbage_collection():
            return Runner.build_dataloader(*args, **kwargs)

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Builds the logger; see :meth:`mmengine.runner.Runner.build_logger`."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, FileHandler):
                handler.addFilter(_is_for_the_screen)
        return logger


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Turns Python's garbage collector off.

    While a large annotation file is read, it would look for cycles among millions of
    objects again and again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _is_for_the_screen(record: LogRecord) -> bool:
    return not str(record.msg).lstrip('\n-').startswith(_ONLY_FOR_THE_FILE)


def build_runner(cfg: Config, loaders: tuple[str, ...]) -> Runner:
    """Checks a config and builds mmengine's runner of it.

    A training has what :func:`use_safe_training` adds. A test on the CPU has
    :class:`ChannelsLastHook`.

    Args:
        cfg (Config): A whole config with ``launcher`` and ``work_dir``, changed in
            place.
        loaders (tuple[str]): The data loaders that the run uses, out of 'train',
            'val' and 'test'.

    Raises:
        UserError: If a file is missing or a setting does not fit; nothing is
            written then.
    """
    with _no_garbage_collection():
        check_config(cfg, loaders)
    if 'train' in loaders:
        use_safe_training(cfg)
        choose_checkpoint(cfg)
    prepare_distributed(cfg)
    setup_cache_size_limit_of_dynamo()
    runner = (
        RUNNERS.build(cfg) if 'runner_type' in cfg else QuickStartRunner.from_cfg(cfg)
    )
    if 'train' in loaders:
        runner.register_hook(SummaryHook())
    if loaders == ('test',):
        runner.register_hook(WholeCheckpointHook())
        if not has_accelerator():
            runner.register_hook(ChannelsLastHook())
    return runner
