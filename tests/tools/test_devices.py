"""Training and evaluation by the tools on every device that there is."""

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
RUNS = {'two processes, gloo': (2, [])}
ON_A_GPU = {'one GPU': (1, []), 'one GPU, --amp': (1, ['--amp'])}
ON_TWO_GPUS = {'two GPUs, NCCL': (2, []), 'two GPUs, NCCL, --amp': (2, ['--amp'])}
GPUS = torch.cuda.device_count()
ON_GPUS = {**(ON_A_GPU if GPUS else {}), **(ON_TWO_GPUS if GPUS > 1 else {})}


@pytest.mark.parametrize(
    'name', [*RUNS, *(pytest.param(name, marks=pytest.mark.gpu) for name in ON_GPUS)]
)
def test_trains_and_evaluates(name, digits, tmp_path):
    processes, options = {**RUNS, **ON_GPUS}[name]
    visible = {}
    if name in ON_GPUS:
        visible['CUDA_VISIBLE_DEVICES'] = os.environ.get(
            'CUDA_VISIBLE_DEVICES', ','.join(map(str, range(GPUS)))
        )
    done = run(
        'tools/dist_train.sh',
        DIGITS,
        processes,
        '--work-dir',
        tmp_path,
        *options,
        *digits_options(digits, **{'train_dataloader.batch_size': 4 // processes}),
        PORT=str(free_port()),
        **visible,
    )
    rows = [row for row in scalars(tmp_path) if 'loss' in row]
    assert [row['step'] for row in rows] == [1, 2]  # 8 images, 4 a step
    assert all(0 < row['loss'] < 100 for row in rows)
    # mmengine logs the peak memory of a GPU.
    assert all(('memory' in row) == (name in ON_GPUS) for row in rows)
    assert len(coco_metrics(done.stdout)) == 12
