"""Finds data sets and values inside a config."""

from collections.abc import Iterator
from typing import Any

from mmdet.registry import DATASETS


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
