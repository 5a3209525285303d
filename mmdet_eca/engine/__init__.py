"""What every run uses: command line, checks before it, launching, runner, hooks."""

from .cli import (
    add_run_arguments,
    add_train_arguments,
    load_config,
    load_train_config,
    use_half_precision,
)
from .config import (
    config_path,
    find_config,
    innermost_datasets,
    register_config_prefix,
    tool_path,
)
from .detector import load_detector
from .hooks import ChannelsLastHook, DivergenceHook, to_channels_last
from .images import find_images
from .machine import device_name, machine, versions
from .mixed_precision import has_bfloat16, use_mixed_precision
from .resuming import (
    InterruptionHook,
    ResumableEpochLoop,
    ResumableIterLoop,
    SafeCheckpointHook,
    SafeLoggerHook,
)
from .runner import build_runner
from .safe_training import use_safe_training

__all__ = [
    'ChannelsLastHook',
    'DivergenceHook',
    'InterruptionHook',
    'ResumableEpochLoop',
    'ResumableIterLoop',
    'SafeCheckpointHook',
    'SafeLoggerHook',
    'add_run_arguments',
    'add_train_arguments',
    'build_runner',
    'config_path',
    'device_name',
    'find_config',
    'find_images',
    'has_bfloat16',
    'innermost_datasets',
    'load_config',
    'load_detector',
    'load_train_config',
    'machine',
    'register_config_prefix',
    'to_channels_last',
    'tool_path',
    'use_half_precision',
    'use_mixed_precision',
    'use_safe_training',
    'versions',
]
