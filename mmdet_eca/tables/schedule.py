"""Whether a run was trained and evaluated as the config of its name says."""

import os.path as osp
from typing import Any, Iterator, Optional, Tuple

from mmengine.config import Config

SECTIONS = (
    'model',
    'train_dataloader',
    'train_cfg',
    'optim_wrapper',
    'param_scheduler',
    'custom_hooks',
)
# Where files are and how they are read changes no result.
FREE = (
    '_scope_',
    'backend_args',
    'data_root',
    'num_workers',
    'persistent_workers',
    'pin_memory',
    'prefetch_factor',
    'with_cp',
)
PATHS = ('ann_file', 'checkpoint', 'img', 'seg')


def check_data_set(loader: Config, stated: Config) -> Optional[str]:
    """Says in what the data set of a loader differs; None if it is the one."""
    dataset, expected = _identity(loader), _identity(stated)
    if dataset == expected:
        return None
    return (
        f'has results of another data set: {dataset[1]}, where {expected[1]} is stated'
    )


def _identity(loader: Config) -> Tuple:
    dataset = loader.dataset
    classes = (dataset.get('metainfo') or {}).get('classes')
    return (
        dataset.type,
        osp.basename(dataset.get('ann_file') or ''),
        tuple(classes or ()),
    )


def check_schedule(cfg: Config, stated: Config, gpus: Optional[int]) -> Optional[str]:
    """Says in what a run's training differs; None if it is as stated.

    Args:
        cfg (Config): What the run has dumped.
        stated (Config): The config of this package.
        gpus (int, optional): Number of processes of the run, if known.
    """
    expected, found = (dict(_sections(part)) for part in (stated, cfg))
    scaled = cfg.get('auto_scale_lr', {}).get('enable', False)
    if scaled:  # then the batch is free, as the learning rate follows it
        for settings in (expected, found):
            settings.pop('train_dataloader.batch_size', None)
    names = [
        name for name in {**expected, **found} if expected.get(name) != found.get(name)
    ]
    if names:
        more = f' (and {len(names) - 1} more)' if names[1:] else ''
        name = min(names, key=lambda name: (name.startswith('model.'), name))
        return (
            f'was trained with another schedule than stated: {name} is '
            f'{found.get(name)!r}, not {expected.get(name)!r}{more}'
        )
    batch = stated.auto_scale_lr.base_batch_size
    if gpus is not None and not scaled:
        total = gpus * cfg.train_dataloader.batch_size
        if total != batch:
            return (
                'was trained with another schedule than stated: '
                f'{total} images a step, not {batch}, at the learning '
                f'rate of {batch}; train with --auto-scale-lr'
            )
    return None


def _sections(cfg: Config) -> Iterator[Tuple[str, Any]]:
    for section in SECTIONS:
        yield from _settings(cfg.get(section), section)


def _settings(node: Any, prefix: str) -> Iterator[Tuple[str, Any]]:
    """Name and value of every setting in nested dicts and lists."""
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
        if name not in FREE and value is not None:
            yield from _settings(value, f'{prefix}.{name}')
