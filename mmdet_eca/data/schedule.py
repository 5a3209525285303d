"""Batch, learning rate and length of an epoch, by the machine and the data."""

import math
import os
from typing import NamedTuple

from mmengine.config import Config

MIN_ITERATIONS = 250  # an epoch; twelve of them are 3,000


class Schedule(NamedTuple):
    """The settings of a training on a machine.

    Attributes:
        gpus (int): Number of GPUs, 0 for the CPU.
        batch_size (int): Images on each GPU, or on the CPU.
        num_workers (int): Processes that load images, for each GPU.
        lr (float): The base config's learning rate times batch / base batch.
        times (int): How often an epoch goes through the images.
        total (int): Images in a step.
        devices (str): Such as '4 GPUs'.
    """

    gpus: int
    batch_size: int
    num_workers: int
    lr: float
    times: int
    total: int
    devices: str


def plan_schedule(
    cfg: Config, images: int, gpus: int, batch_size: int | None = None
) -> Schedule:
    """Plans the training of a detector.

    The learning rate follows the size of the batch by the linear rule. A data set of
    few images is repeated within an epoch: else the warm-up, 500 steps, would be most
    of the training.

    Args:
        cfg (Config): The detector's base config.
        images (int): Number of training images.
        gpus (int): Number of GPUs, 0 for the CPU.
        batch_size (int, optional): Images on each; by default the base's, 1 on the
            CPU.
    """
    if batch_size is None:
        batch_size = cfg.train_dataloader.batch_size if gpus else 1
    total = batch_size * max(gpus, 1)
    # Which of the cores this process may use is not known on macOS and Windows.
    known = hasattr(os, 'sched_getaffinity')
    cores = len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
    return Schedule(
        gpus=gpus,
        batch_size=batch_size,
        # On the CPU the network needs the cores.
        num_workers=max(1, min(4, cores // gpus)) if gpus else 1,
        lr=cfg.optim_wrapper.optimizer.lr * total / cfg.auto_scale_lr.base_batch_size,
        times=max(1, math.ceil(MIN_ITERATIONS / math.ceil(images / total))),
        total=total,
        devices=f'{gpus} GPU{"s" * (gpus > 1)}' if gpus else 'the CPU',
    )
