"""A process with everything imported, and one thread, whose children train at once."""

import functools
import os
import os.path as osp
from contextlib import contextmanager

import cv2
import torch
from mmdet.utils import register_all_modules
from mmengine import config
from mmengine.config import utils as config_utils
from mmengine.runner import runner
from mmengine.utils import digit_version

import tests.chaos.witness
import tests.engine.resuming.toy  # noqa: F401
from mmdet_eca.commands import train  # noqa: F401
from mmdet_eca.digits import make_digits
from tests.chaos.processes import adopt_orphans, end_all
from tests.chaos.trial import Trainings


@contextmanager
def trainings(folder, detectors=True, **settings):
    """Prepares this process.

    Args:
        folder: Where the trainings write.
        detectors: Whether there will be trials with a detector.
        settings: See Trainings.
    """
    register_all_modules()
    torch.set_num_threads(1)
    torch.optim.SGD([torch.zeros(1)], lr=1)  # the first imports for a second
    cv2.setNumThreads(0)
    threads = len(os.listdir('/proc/self/task'))
    # TorchDynamo of torch 2.1 starts one, which does nothing here.
    older = digit_version(torch.__version__) < digit_version('2.6')
    if threads > 1 + older or torch.cuda.is_available():
        raise RuntimeError(
            f'{threads} threads: a fork would lose them; '
            'set OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 CUDA_VISIBLE_DEVICES=-1'
        )
    # mmengine reads mmdet's whole index for every config, and lays out what it writes.
    config_utils.load = functools.cache(config_utils.load)
    if hasattr(config.config, 'FormatCode'):  # the fork has none there
        config.config.FormatCode = lambda text, **style: (text, True)
    # It asks the compilers for their versions.
    runner.collect_env = functools.cache(runner.collect_env)
    runner.collect_env()
    adopt_orphans()
    data = osp.join(folder, 'digits')
    if detectors and not osp.exists(data):
        make_digits(data, num_train=8, num_val=4)
    try:
        yield Trainings(folder, data, **settings)
    finally:
        end_all()
