"""Batch, learning rate and length of an epoch, by the machine and the data."""

import math
import os
from dataclasses import dataclass

import torch
from mmengine.config import Config

MIN_ITERATIONS = 250  # an epoch; twelve of them are 3,000


@dataclass(frozen=True)
class Schedule:
    """What a training on this machine takes.

    Attributes:
        gpus (int): Number of GPUs, 0 for the CPU.
        batch_size (int): Images a GPU, or on the CPU.
        num_workers (int): Processes that load images, for each GPU.
        lr (float): The learning rate of the base config for this batch, by the linear
            rule.
        times (int): How often an epoch goes through the images.
    """

    gpus: int
    batch_size: int
    num_workers: int
    lr: float
    times: int

    @property
    def total(self) -> int:
        """Images in a step."""
        return self.batch_size * max(self.gpus, 1)

    @property
    def devices(self) -> str:
        """Such as '4 GPUs'."""
        return f'{self.gpus} GPU{"s" * (self.gpus > 1)}' if self.gpus else 'the CPU'


def count_gpus() -> int:
    """Number of GPUs that torch sees."""
    return torch.cuda.device_count()


def plan_schedule(cfg: Config, images: int, gpus: int) -> Schedule:
    """Plans the training of a detector.

    The learning rate follows the size of the batch, lr = base lr * batch / base batch.
    A data set of few images is repeated within an epoch: else the warm-up, 500 steps,
    would be most of the training.

    Args:
        cfg (Config): The detector's base config.
        images (int): Number of training images.
        gpus (int): Number of GPUs, 0 for the CPU.
    """
    batch_size = cfg.train_dataloader.batch_size if gpus else 1
    total = batch_size * max(gpus, 1)
    # Not on macOS and Windows: which of the cores this process may use.
    if hasattr(os, 'sched_getaffinity'):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return Schedule(
        gpus=gpus,
        batch_size=batch_size,
        # On the CPU the network needs the cores.
        num_workers=max(1, min(4, cores // gpus)) if gpus else 1,
        lr=cfg.optim_wrapper.optimizer.lr * total / cfg.auto_scale_lr.base_batch_size,
        times=max(1, math.ceil(MIN_ITERATIONS / math.ceil(images / total))),
    )
