"""Distributed runs without CUDA, on gloo."""
import os
import subprocess

import torch
from mmengine.config import Config
from mmengine.dist import is_distributed

# What torch's rendezvous reads, by the names that each launcher gives it.
_LAUNCHER_VARIABLES = dict(
    slurm=dict(
        RANK='SLURM_PROCID',
        LOCAL_RANK='SLURM_LOCALID',
        WORLD_SIZE='SLURM_NTASKS'),
    mpi=dict(
        RANK='OMPI_COMM_WORLD_RANK',
        LOCAL_RANK='OMPI_COMM_WORLD_LOCAL_RANK',
        WORLD_SIZE='OMPI_COMM_WORLD_SIZE'))


def prepare_distributed(cfg: Config) -> None:
    """Initialises gloo for a distributed run on a machine without CUDA.

    mmengine's launchers put every process on a CUDA device; with a process
    group already there and DDP told of no device they work on the CPU too.
    With CUDA nothing is changed.

    Args:
        cfg (Config): The run's config, changed in place.
    """
    if cfg.launcher == 'none' or torch.cuda.is_available():
        return
    default = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False))
    cfg.model_wrapper_cfg = {
        **cfg.get('model_wrapper_cfg', default), 'device_ids': None
    }
    if not is_distributed():
        for name, given in _LAUNCHER_VARIABLES.get(cfg.launcher, {}).items():
            os.environ[name] = os.environ[given]
        os.environ.setdefault('MASTER_PORT', '29500')
        if cfg.launcher == 'slurm':
            os.environ.setdefault('MASTER_ADDR', _first_slurm_host())
        torch.distributed.init_process_group('gloo')


def _first_slurm_host() -> str:
    hosts = subprocess.check_output(
        ['scontrol', 'show', 'hostname', os.environ['SLURM_NODELIST']],
        text=True)
    return hosts.split()[0]
