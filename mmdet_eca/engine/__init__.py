from .channels_last_hook import ChannelsLastHook
from .cli import (add_run_arguments, add_train_arguments, load_config,
                  load_train_config)
from .config import (config_path, find_config, register_config_prefix,
                     tool_path)
from .corrupt_images_hook import CorruptImagesHook
from .export_backbone_hook import ExportBackboneHook
from .iter_seed_hook import IterSeedHook
from .runner import build_runner
from .user_errors import one_line_errors

__all__ = [
    'ChannelsLastHook', 'CorruptImagesHook', 'ExportBackboneHook',
    'IterSeedHook', 'add_run_arguments', 'add_train_arguments',
    'build_runner', 'config_path', 'find_config', 'load_config',
    'load_train_config', 'one_line_errors', 'register_config_prefix',
    'tool_path'
]
