"""Compares the training and the data of a run with the config of its name."""

import os.path as osp
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

# The parts of a config that say how a network is trained.
SECTIONS = (
    'model',
    'train_dataloader',
    'train_cfg',
    'optim_wrapper',
    'param_scheduler',
    'custom_hooks',
)
# Where files are and how they are read changes no result.
IGNORED = (
    '_scope_',
    'backend_args',
    'data_root',
    'num_workers',
    'persistent_workers',
    'pin_memory',
    'prefetch_factor',
    'root',
    'with_cp',
)
# Of these paths only the last part is compared.
PATHS = ('ann_file', 'checkpoint', 'img', 'seg')


def check_data_set(loader: Config, expected: Config) -> str | None:
    """Says how the data set of a loader differs; None if it is the expected one.

    Args:
        loader (Config): Config of the run's data loader.
        expected (Config): Config of the loader in this package's config.
    """
    found, wanted = _identity(loader), _identity(expected)
    if found == wanted:
        return None
    return f'has results of another data set: {found[1]}, where {wanted[1]} is stated'


def check_crop(loader: Config, expected: Config) -> str | None:
    """Says how a classifier's validation images differ; None if they are as stated.

    Args:
        loader (Config): Config of the run's data loader for validation.
        expected (Config): Config of the loader in this package's config.
    """
    wanted, found = (
        dict(_settings(part.dataset, 'val_dataloader.dataset'))
        for part in (expected, loader)
    )
    return _first_difference(found, wanted, 'was evaluated otherwise than stated')


def _identity(loader: Config) -> tuple:
    """What tells a data set from others: type, annotation file, classes."""
    dataset = loader.dataset
    classes = (dataset.get('metainfo') or {}).get('classes')
    return (
        dataset.type,
        osp.basename(dataset.get('ann_file') or ''),
        tuple(classes or ()),
    )


def check_schedule(cfg: Config, expected: Config, gpus: int | None) -> str | None:
    """Says how a run's training differs; None if it is the expected one.

    Args:
        cfg (Config): The config that the run has dumped.
        expected (Config): The config of this package.
        gpus (int, optional): Number of processes of the run, if known.
    """
    wanted, found = (dict(_sections(part)) for part in (expected, cfg))
    scaled = cfg.get('auto_scale_lr', {}).get('enable', False)
    if scaled:  # then any batch will do, as the learning rate follows it
        for settings in (wanted, found):
            settings.pop('train_dataloader.batch_size', None)
    difference = _first_difference(
        found, wanted, 'was trained with another schedule than stated'
    )
    if difference:
        return difference
    batch = expected.auto_scale_lr.base_batch_size
    if gpus is not None and not scaled:
        total = gpus * cfg.train_dataloader.batch_size
        if total != batch:
            return (
                'was trained with another schedule than stated: '
                f'{total} images a step, not {batch}, at the learning '
                f'rate of {batch}; train with --auto-scale-lr'
            )
    return None


def _first_difference(
    found: dict[str, Any], wanted: dict[str, Any], title: str
) -> str | None:
    """Names one setting that differs, and how many more do; None if none does."""
    names = [
        name for name in {**wanted, **found} if wanted.get(name) != found.get(name)
    ]
    if not names:
        return None
    more = f' (and {len(names) - 1} more)' if names[1:] else ''
    name = min(names, key=lambda name: (name.startswith('model.'), name))
    return f'{title}: {name} is {found.get(name)!r}, not {wanted.get(name)!r}{more}'


def _sections(cfg: Config) -> Iterator[tuple[str, Any]]:
    for section in SECTIONS:
        yield from _settings(cfg.get(section), section)


def _settings(node: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Name and value of every setting in nested dicts and lists.

    The ignored ones and those that are None are left out.
    """
    if isinstance(node, dict):
        items = node
    elif isinstance(node, (list, tuple)):
        items = {str(index): value for index, value in enumerate(node)}
    else:
        if prefix.rsplit('.', 1)[-1] in PATHS and isinstance(node, str):
            node = osp.basename(node.rstrip('/'))
        yield prefix, node
        return
    for name, value in items.items():
        if name not in IGNORED and value is not None:
            yield from _settings(value, f'{prefix}.{name}')
