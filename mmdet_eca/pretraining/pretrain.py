"""A classifier on image folders, trained and exported as a backbone."""

from typing import Iterator

from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch.utils.data import Dataset

from ..engine import build_runner
from ..engine.distributed import has_accelerator
from ..errors import UserError
from .image_folder import ImageFolder


def pretrain(cfg: Config) -> None:
    """Trains the classifier of a config and exports its backbone.

    Args:
        cfg (Config): As in ``configs/imagenet``, with ``launcher`` and
            ``work_dir``.

    Raises:
        UserError: If a folder, a class count or a setting does not fit; then
            nothing has been written into the work directory. Later, if more
            images are corrupt than allowed.
    """
    if cfg.optim_wrapper.type == 'AmpOptimWrapper' and not has_accelerator():
        raise UserError(
            'mixed precision (AmpOptimWrapper) needs a GPU: take a config without it'
        )
    check_classes(cfg)
    build_runner(cfg, ('train', 'val')).train()


def check_classes(cfg: Config) -> None:
    """Raises UserError unless all training and validation folders and the model
    have the same classes."""
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    first, *others = (
        folder
        for loader in ('train', 'val')
        for folder in _folders(DATASETS.build(cfg[f'{loader}_dataloader'].dataset))
    )
    for other in others:
        differing = sorted(set(first.classes) ^ set(other.classes))
        if differing:
            places = [
                f'{name} (only in {folder.root})'
                for name in differing[:5]
                for folder in (first, other)
                if name in folder.classes
            ]
            raise UserError(
                f'{first.root} and {other.root} have different class folders: '
                f'{", ".join(places)}{", ..." if len(differing) > 5 else ""}'
            )
    if cfg.model.num_classes != len(first.classes):
        raise UserError(
            f'{first.root} has {len(first.classes)} class folders, the model '
            f'num_classes={cfg.model.num_classes}: set model.num_classes='
            f'{len(first.classes)}'
        )


def _folders(dataset: Dataset) -> Iterator[ImageFolder]:
    """The image folders inside wrappers such as ConcatDataset."""
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if inner == [None]:
        yield dataset
    else:
        for wrapped in inner:
            yield from _folders(wrapped)
