"""Where this package's configs are, and how ``mmdet_eca::`` finds them."""

import os.path as osp
import re
from typing import Optional, Tuple

from mmengine.config import Config

from ..errors import UserError

PREFIX = 'mmdet_eca::'


def config_path(name: str) -> str:
    """Path of a config of this package.

    Args:
        name (str): Relative to ``configs/``: 'mask_rcnn_eca_r50_fpn_1x.py'.

    Raises:
        UserError: If there is no such config.
    """
    package = osp.dirname(osp.dirname(osp.abspath(__file__)))
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
    """Path of a config that is given as a path, or as one of this package.

    Args:
        name (str): A file, else relative to this package's ``configs/`` or
            beginning with 'configs/'.

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
    """Path of one of this package's ``tools/``, as short as it can be typed."""
    configs = osp.dirname(config_path('mask_rcnn_eca_r50_fpn_1x.py'))
    path = osp.join(osp.dirname(configs), 'tools', name)
    relative = osp.relpath(path)
    return path if relative.startswith(osp.pardir) else relative


def register_config_prefix() -> None:
    """Makes ``_base_ = 'mmdet_eca::NAME'`` work.

    mmengine resolves ``package::`` for a fixed list of packages only, and only
    for configs in subfolders. The configs' scope is mmdet's, whose registries
    our modules are in.
    """
    resolve = Config._get_cfg_path

    def resolve_ours(path: str, filename: str) -> Tuple[str, Optional[str]]:
        if path.startswith(PREFIX):
            return config_path(path[len(PREFIX) :]), 'mmdet'
        return resolve(path, filename)

    Config._get_cfg_path = staticmethod(resolve_ours)
