"""Command-line arguments that are those of mmdet's tools."""

import argparse
import os
import os.path as osp

from mmengine.config import Config, DictAction
from mmengine.device import get_device

from ..config_paths import find_config
from ..errors import UserError
from .distributed import has_accelerator
from .mistakes import merge_options


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--cfg-options`` to a command that uses a trained detector."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='settings of the config to change, such as '
        'model.test_cfg.rcnn.score_thr=0.3',
    )


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds mmdet's options for the config, the work directory and launching."""
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config, as key=value; lists as '
        'key="[a,b]" or key=a,b, nested as key="[(a,b),(c,d)]", without spaces; '
        'check_config=False starts without checking the config beforehand',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher; on the CPU the processes talk through gloo',
    )
    # torch.distributed.launch of torch 1.x gives --local_rank, later ones
    # --local-rank, torchrun the environment variable.
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS
    )


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the config and the options of mmdet's tools/train.py."""
    parser.add_argument('config', help='train config file')
    add_run_arguments(parser)
    parser.add_argument(
        '--epochs', type=int, help='train so many; the learning rate falls accordingly'
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        help='images on each GPU; the learning rate changes with the total',
    )
    parser.add_argument(
        '--amp',
        action='store_true',
        help='train with automatic mixed precision: float16 on a GPU, bfloat16 on a '
        'CPU that has it',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the total batch size',
    )
    parser.add_argument(
        '--deterministic',
        action='store_true',
        help="take torch's deterministic algorithms, and the seed 0 unless "
        'randomness.seed is set. On a GPU RoIAlign still adds in any order, and '
        'operators without such an algorithm, as in DINO, are an error',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint, or, without a value, from the '
        'latest one in the work directory',
    )


def check_writable(path: str, option: str) -> None:
    """Checks that a file or folder can be written, before the work that fills it.

    Raises:
        UserError: If it lies in a folder that is read-only, or below a file.
    """
    folder = osp.abspath(path)
    while not osp.exists(folder):
        folder = osp.dirname(folder)
    if not os.access(folder, os.W_OK) or (
        osp.isfile(folder) and folder != osp.abspath(path)
    ):
        raise UserError(f'{option} {path}: {folder} cannot be written into')


def load_config(args: argparse.Namespace) -> Config:
    """Reads the config with what the command line changes in it.

    The work directory is the one given, else the config's, else
    ``work_dirs/<name of the config>``.

    Raises:
        UserError: If there is no such file, a key of ``--cfg-options`` is unknown, or
            the launcher has not started this process.
    """
    started_by = dict(
        pytorch=('RANK', 'torchrun, as tools/dist_train.sh does'),
        slurm=('SLURM_PROCID', 'srun, as tools/slurm_train.sh does'),
        mpi=('OMPI_COMM_WORLD_LOCAL_RANK', 'mpirun'),
    )
    variable, starter = started_by.get(args.launcher, (None, None))
    if variable and variable not in os.environ:
        raise UserError(
            f'--launcher {args.launcher}: {variable} is not set, since this process '
            f'was not started by {starter}; without --launcher one process runs'
        )
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = Config.fromfile(find_config(args.config))
    cfg.launcher = args.launcher
    if args.cfg_options is not None:
        merge_options(cfg, args.cfg_options)
    for loader in ('train', 'val', 'test'):
        workers = cfg.get(f'{loader}_dataloader') or {}
        if workers.get('num_workers') == 0:  # torch refuses what cannot persist
            workers['persistent_workers'] = False
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        name = osp.splitext(osp.basename(args.config))[0]
        cfg.work_dir = osp.join('work_dirs', name)
    return cfg


def load_train_config(args: argparse.Namespace) -> Config:
    """Reads the config with what the options of training change in it.

    Raises:
        UserError: If there is no such file, or an option does not fit.
    """
    cfg = load_config(args)
    if args.epochs is not None:
        set_epochs(cfg, args.epochs)
    if args.batch_size is not None:
        if args.batch_size < 1:
            raise UserError(f'--batch-size must be 1 or more, got {args.batch_size}')
        cfg.train_dataloader.batch_size = args.batch_size
        args.auto_scale_lr = True
    if args.amp:
        if has_accelerator():
            cfg.optim_wrapper.type = 'AmpOptimWrapper'
            cfg.optim_wrapper.loss_scale = 'dynamic'
        elif get_device() == 'cpu':
            use_half_precision(cfg)
        else:
            raise UserError(f'--amp: torch trains so on no {get_device()!r} device')
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise UserError(
                '--auto-scale-lr needs auto_scale_lr='
                f'dict(base_batch_size=...) in {args.config}'
            )
        cfg.auto_scale_lr.enable = True
    if args.deterministic:
        _make_deterministic(cfg)
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    return cfg


def set_epochs(cfg: Config, epochs: int) -> None:
    """Changes the length of a training, and its learning rates' schedule with it.

    Warm-ups that count iterations stay.

    Args:
        cfg (Config): A config of a training over epochs, changed in place.
        epochs (int): Number of epochs.

    Raises:
        UserError: If it is not positive, or the training counts iterations.
    """
    before = cfg.train_cfg.get('max_epochs')
    if epochs < 1 or not before:
        raise UserError(
            f'--epochs {epochs}: it must be 1 or more, and train_cfg must have '
            f'max_epochs; it is {dict(cfg.train_cfg)}'
        )
    cfg.train_cfg.max_epochs = epochs
    schedulers = cfg.get('param_scheduler') or []
    for scheduler in [schedulers] if isinstance(schedulers, dict) else schedulers:
        if scheduler.get('by_epoch', True):
            for key in {'begin', 'end', 'T_max', 'milestones'} & set(scheduler):
                scheduler[key] = _scaled(scheduler[key], epochs / before)


def _scaled(value: int | list[int], factor: float) -> int | list[int]:
    if isinstance(value, (list, tuple)):
        return [round(part * factor) for part in value]
    return round(value * factor)


def use_half_precision(cfg: Config) -> None:
    """Lets a run of this config have :class:`MixedPrecisionHook`."""
    hook = dict(type='MixedPrecisionHook')
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), hook]


def _make_deterministic(cfg: Config) -> None:
    """Asks mmengine for a seed, and for torch's deterministic algorithms."""
    # Read when cuBLAS starts; without it torch refuses matrix products.
    os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    randomness = dict(cfg.get('randomness') or {}, deterministic=True)
    if randomness.get('seed') is None:
        randomness['seed'] = 0
    cfg.randomness = randomness
