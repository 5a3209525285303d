"""Finds this package's configs and tools."""

import os.path as osp
import re

from mmengine.config import Config

from .errors import UserError

PREFIX = 'mmdet_eca::'


def config_path(name: str) -> str:
    """Returns the path of a config of this package.

    Args:
        name (str): Relative to ``configs/``: 'mask_rcnn_eca_r50_fpn_1x.py'.

    Raises:
        UserError: If there is no such config.
    """
    package = osp.dirname(osp.abspath(__file__))
    folder = osp.join(package, '.mim', 'configs')  # installed
    if not osp.isdir(folder):
        folder = osp.join(osp.dirname(package), 'configs')  # source tree
    path = osp.join(folder, name)
    if not osp.isfile(path):
        raise UserError(
            f'mmdet_eca has no config {name!r}; its configs are in {folder}'
        )
    return path


def find_config(name: str) -> str:
    """Returns the path of a config: a user's file, or one of this package.

    Args:
        name (str): A file; else a path relative to this package's ``configs/``,
            which may begin with 'configs/'.

    Raises:
        UserError: If there is no such file.
    """
    if osp.isfile(name):
        return name
    try:
        return config_path(re.sub(r'^(\./)?configs/', '', name))
    except UserError as error:
        raise UserError(f'config {name} does not exist: {error}') from None


def tool_path(name: str) -> str:
    """Returns the path of a file in ``tools/``, as it is typed.

    It is relative to the current folder if it is below it.
    """
    configs = osp.dirname(config_path('mask_rcnn_eca_r50_fpn_1x.py'))
    path = osp.join(osp.dirname(configs), 'tools', name)
    relative = osp.relpath(path)
    return path if relative.startswith(osp.pardir) else relative


def register_config_prefix() -> None:
    """Makes ``_base_ = 'mmdet_eca::NAME'`` work.

    mmengine's own table of packages (``MODULE2PACKAGE``) cannot do this: it takes
    configs in subfolders of an installed package only, and gives them the
    package's name as scope, where mmengine then looks for registries. This
    package registers its modules in mmdet's registries, so the scope is 'mmdet'.
    """
    mmengine_get_cfg_path = Config._get_cfg_path

    def get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
        if cfg_path.startswith(PREFIX):
            return config_path(cfg_path[len(PREFIX) :]), 'mmdet'
        return mmengine_get_cfg_path(cfg_path, filename)

    Config._get_cfg_path = staticmethod(get_cfg_path)
