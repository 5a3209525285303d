"""Pretraining on image folders: from class folders to a detector's backbone."""
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.device import is_cuda_available

from .engine import build_runner
from .errors import UserError


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
    if (cfg.optim_wrapper.type == 'AmpOptimWrapper'
            and not is_cuda_available()):
        raise UserError('mixed precision (AmpOptimWrapper) needs a GPU: take a '
                        'config without it')
    check_classes(cfg)
    build_runner(cfg, ('train', 'val')).train()


def check_classes(cfg: Config) -> None:
    """Raises UserError unless training, validation and model have the same
    classes."""
    train, val = (DATASETS.build(cfg[f'{loader}_dataloader'].dataset)
                  for loader in ('train', 'val'))
    differing = sorted(set(train.classes) ^ set(val.classes))
    if differing:
        places = [
            f'{name} (only in {folder.root})' for name in differing[:5]
            for folder in (train, val) if name in folder.classes
        ]
        raise UserError(
            f'{train.root} and {val.root} have different class folders: '
            f'{", ".join(places)}{", ..." if len(differing) > 5 else ""}')
    if cfg.model.num_classes != len(train.classes):
        raise UserError(
            f'{train.root} has {len(train.classes)} class folders, the model '
            f'num_classes={cfg.model.num_classes}: set model.num_classes='
            f'{len(train.classes)}')
