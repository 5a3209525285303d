"""Where this package's configs are, and what is inside a config."""

import os.path as osp
import re
from collections.abc import Iterator
from typing import Any

from mmdet.registry import DATASETS
from mmengine.config import Config

from ..errors import UserError

PREFIX = 'mmdet_eca::'


def config_path(name: str) -> str:
    """Returns the path of a config of this package.

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


def innermost_datasets(dataset: dict) -> Iterator[dict]:
    """Yields the configs of all data sets inside wrappers such as RepeatDataset.

    mmdet's ``get_test_pipeline_cfg`` goes the same way, but to the pipeline of
    the first data set only.

    Args:
        dataset (dict): ``dataset`` of a data loader's config.
    """
    if 'dataset' in dataset or 'datasets' in dataset:
        for inner in dataset.get('datasets') or [dataset['dataset']]:
            yield from innermost_datasets(inner)
    else:
        yield dataset


def dataset_metainfo(dataset: dict) -> dict:
    """Returns what a data set knows of its classes, without opening its files.

    Args:
        dataset (dict): Config of a data set without wrappers.

    Returns:
        dict: Its class's ``METAINFO``, replaced by its config's ``metainfo``.
    """
    dataset_class = dataset['type']
    if isinstance(dataset_class, str):
        dataset_class = DATASETS.get(dataset_class)
    known = getattr(dataset_class, 'METAINFO', None) or {}
    return {**known, **(dataset.get('metainfo') or {})}


def values_of(config: Any, key: str) -> Iterator[Any]:
    """Yields each value of ``key``, at any depth of nested dicts and lists."""
    if isinstance(config, dict):
        for name, value in config.items():
            if name == key:
                yield value
            else:
                yield from values_of(value, key)
    elif isinstance(config, (list, tuple)):
        for value in config:
            yield from values_of(value, key)
