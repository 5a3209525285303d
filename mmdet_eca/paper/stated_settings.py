"""Whether a network was trained and evaluated as a config states."""

import os.path as osp
from collections.abc import Iterator, Sequence
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
    'val_dataloader.dataset',
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
# Only the last part of these paths is compared.
PATHS = ('ann_file', 'checkpoint', 'img', 'seg')


def find_difference(
    cfg: Config, expected: Config, sections: Sequence[str], free: Sequence[str] = ()
) -> str | None:
    """Compares how a network was trained or evaluated with the expected config.

    Args:
        cfg (Config): The config that ran.
        expected (Config): The config that it should equal.
        sections (Sequence[str]): The parts that are compared.
        free (Sequence[str]): Names of settings that may differ.

    Returns:
        str | None: What was found and expected of the first setting that differs, None
        if they are the same.
    """
    wanted, found = (
        {
            name: value
            for section in sections
            for name, value in _settings(_part(part, section), section)
            if name not in free
        }
        for part in (expected, cfg)
    )
    names = [n for n in {**wanted, **found} if wanted.get(n) != found.get(n)]
    if not names:
        return None
    first = min(names, key=lambda name: (not name.startswith('model.'), name))
    more = f' (and {len(names) - 1} more)' if names[1:] else ''
    return f'{first} is {found.get(first)!r}, not {wanted.get(first)!r}{more}'


def _part(cfg: Any, section: str) -> Any:
    for key in section.split('.'):
        cfg = (cfg or {}).get(key)
    return cfg


def _settings(node: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yields name and value of every setting in nested dicts and lists.

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
