"""Distributed runs on the CPU, through torch's gloo backend."""

import atexit
import os
import subprocess
import sys

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_distributed

# The variables that torch's process group reads, and each launcher's own names.
_LAUNCHER_VARIABLES = dict(
    slurm=dict(
        RANK='SLURM_PROCID', LOCAL_RANK='SLURM_LOCALID', WORLD_SIZE='SLURM_NTASKS'
    ),
    mpi=dict(
        RANK='OMPI_COMM_WORLD_RANK',
        LOCAL_RANK='OMPI_COMM_WORLD_LOCAL_RANK',
        WORLD_SIZE='OMPI_COMM_WORLD_SIZE',
    ),
)


def has_accelerator() -> bool:
    """Whether mmengine uses CUDA, NPU, MLU or MUSA.

    These have a communication backend and mixed precision, the CPU and MPS do not.
    """
    return get_device() not in ('cpu', 'mps')


def prepare_distributed(cfg: Config) -> None:
    """Initialises the process group of a distributed run on the CPU.

    mmengine's launchers put every process on a CUDA device, with gloo too, which
    fails without one. They leave a process group alone that is initialised
    already; DistributedDataParallel must then be given no device. On CUDA, NPU,
    MLU and MUSA this function leaves that to them.

    Args:
        cfg (Config): The run's config with ``launcher``; ``model_wrapper_cfg`` is
            set in it.
    """
    if cfg.launcher == 'pytorch':
        _forget_earlier_start()
    if cfg.launcher == 'none' or has_accelerator():
        return
    default = dict(
        type='MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.model_wrapper_cfg = {
        **cfg.get('model_wrapper_cfg', default),
        'device_ids': None,
    }
    if not is_distributed():
        for name, given in _LAUNCHER_VARIABLES.get(cfg.launcher, {}).items():
            os.environ[name] = os.environ[given]
        os.environ.setdefault('MASTER_PORT', '29500')
        if cfg.launcher == 'slurm':
            os.environ.setdefault('MASTER_ADDR', _first_slurm_host())
        torch.distributed.init_process_group('gloo')


def _forget_earlier_start() -> None:
    """Makes processes that torchrun has started again meet at another port.

    torchrun keeps the store in which they have put their addresses, so that gloo now
    and then connects to a process that is dead.
    """
    restarts = int(os.environ.get('TORCHELASTIC_RESTART_COUNT', '0'))
    if restarts and os.environ.get('TORCHELASTIC_USE_AGENT_STORE') == 'True':
        os.environ['TORCHELASTIC_USE_AGENT_STORE'] = 'False'
        port = int(os.environ['MASTER_PORT']) + 100 * restarts
        os.environ['MASTER_PORT'] = str(port if port < 2**16 else port - 2**15)


def end_process(status: int = 0, alone: bool = False) -> None:
    """Ends a process of a distributed run that has done its work.

    On gloo the process leaves after its exit handlers: while Python shuts down, a
    thread of gloo now and then aborts ("terminate called without an active
    exception"), and torchrun reports a failure. Elsewhere the process group is
    destroyed, and nothing happens without one.

    Args:
        status (int): The exit status.
        alone (bool): Leave at once, while others may still wait for this process.
    """
    if not is_distributed():
        return
    if not alone:
        torch.distributed.barrier()
    if alone or torch.distributed.get_backend() == 'gloo':
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    torch.distributed.destroy_process_group()


def _first_slurm_host() -> str:
    # Slurm's own, wherever it is.
    hosts = subprocess.check_output(  # nosec B607
        ['scontrol', 'show', 'hostname', os.environ['SLURM_NODELIST']], text=True
    )
    return hosts.split()[0]
