"""Trains a classifier on image folders, and exports its backbone."""

from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from ..errors import UserError, first_few
from ..training.config import innermost_datasets
from ..training.distributed import has_accelerator
from ..training.runner import build_runner


def pretrain(cfg: Config) -> None:
    """Trains the classifier of a config and exports its backbone.

    Args:
        cfg (Config): A config of ``configs/imagenet``, with ``launcher`` and
            ``work_dir``.

    Raises:
        UserError: If a folder, a number of classes or a setting does not fit;
            nothing is written into the work directory then. Later, if more
            images are corrupt than the config allows.
    """
    if cfg.optim_wrapper.type == 'AmpOptimWrapper' and not has_accelerator():
        raise UserError(
            'mixed precision (AmpOptimWrapper) needs a GPU: take a config without it'
        )
    check_classes(cfg)
    build_runner(cfg, ('train', 'val')).train()


def check_classes(cfg: Config) -> None:
    """Checks that all image folders and the model have the same classes.

    Args:
        cfg (Config): See :func:`pretrain`.

    Raises:
        UserError: If class folders differ between training and validation, or
            ``model.num_classes`` is not their number.
    """
    init_default_scope(cfg.get('default_scope') or 'mmdet')
    first, *others = (
        DATASETS.build(dict(folder, lazy_init=True))
        for loader in ('train', 'val')
        for folder in innermost_datasets(cfg[f'{loader}_dataloader'].dataset)
    )
    for other in others:
        differing = sorted(set(first.classes) ^ set(other.classes))
        if differing:
            places = [
                f'{name} (only in {(first if name in first.classes else other).root})'
                for name in differing
            ]
            raise UserError(
                f'{first.root} and {other.root} have different class folders: '
                f'{first_few(places)}'
            )
    if cfg.model.num_classes != len(first.classes):
        raise UserError(
            f'{first.root} has {len(first.classes)} class folders, the model '
            f'num_classes={cfg.model.num_classes}: set model.num_classes='
            f'{len(first.classes)}'
        )
