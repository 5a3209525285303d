"""Training and evaluation by the tools on the GPUs that there are.

By two processes on the CPU: test_train.py.
"""

import os

import pytest
import torch

from tests.conftest import run
from tests.tools.test_train import (
    DIGITS,
    coco_metrics,
    digits_options,
    free_port,
    scalars,
)

# Processes and options of train.py.
ON_A_GPU = {'one GPU': (1, []), 'one GPU, --amp': (1, ['--amp'])}
ON_TWO_GPUS = {'two GPUs, NCCL': (2, []), 'two GPUs, NCCL, --amp': (2, ['--amp'])}
GPUS = torch.cuda.device_count()
RUNS = {**(ON_A_GPU if GPUS else {}), **(ON_TWO_GPUS if GPUS > 1 else {})}


def trains_and_evaluates(name, digits, tmp_path):
    processes, options = RUNS[name]
    done = run(
        'tools/dist_train.sh',
        DIGITS,
        processes,
        '--work-dir',
        tmp_path,
        *options,
        *digits_options(digits, **{'train_dataloader.batch_size': 4 // processes}),
        PORT=str(free_port()),
        CUDA_VISIBLE_DEVICES=os.environ.get(
            'CUDA_VISIBLE_DEVICES', ','.join(map(str, range(GPUS)))
        ),
    )
    rows = [row for row in scalars(tmp_path) if 'loss' in row]
    assert [row['step'] for row in rows] == [1, 2]  # 8 images, 4 a step
    assert all(0 < row['loss'] < 100 for row in rows)
    assert all('memory' in row for row in rows)  # of the GPU, its peak
    assert len(coco_metrics(done.stdout)) == 12


if RUNS:  # pytest counts a test without parameters as skipped

    @pytest.mark.gpu
    @pytest.mark.parametrize('name', RUNS)
    def test_trains_and_evaluates(name, digits, tmp_path):
        trains_and_evaluates(name, digits, tmp_path)
