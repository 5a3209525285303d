"""What dist_*.sh and slurm_*.sh start, with stand-ins for python and srun."""

import pytest

from tests.conftest import ROOT, run

TOOLS = f'{ROOT}/tools'
STAND_IN = """#!/usr/bin/env bash
printf '%s\\n' "${0##*/}" "$@" "PYTHONPATH=$PYTHONPATH"
"""
TORCHRUN = (
    f'python {TOOLS}/torchrun.py --nnodes=2 --node-rank=0 --master-addr=127.0.0.1 '
    f'--master-port=29500 --max-restarts=0 --nproc-per-node=4 {TOOLS}/'
)
SRUN = (
    'srun -p part --job-name=name --gres=gpu:8 --ntasks=16 --ntasks-per-node=8 '
    f'--cpus-per-task=5 --kill-on-bad-exit=1 --exclusive --nice python -u {TOOLS}/'
)
SLURM_TRAINING = '--work-dir=WORK_DIR --launcher=slurm'
LAUNCHERS = {
    'dist_train.sh': ('CONFIG 4', f'{TORCHRUN}train.py CONFIG --launcher pytorch'),
    'dist_pretrain.sh': (
        'CONFIG 4',
        f'{TORCHRUN}pretrain_imagenet.py CONFIG --launcher pytorch',
    ),
    'dist_test.sh': (
        'CONFIG CHECKPOINT 4',
        f'{TORCHRUN}test.py CONFIG CHECKPOINT --launcher pytorch',
    ),
    'slurm_train.sh': (
        'part name CONFIG WORK_DIR',
        f'{SRUN}train.py CONFIG {SLURM_TRAINING}',
    ),
    'slurm_pretrain.sh': (
        'part name CONFIG WORK_DIR',
        f'{SRUN}pretrain_imagenet.py CONFIG {SLURM_TRAINING}',
    ),
    'slurm_test.sh': (
        'part name CONFIG CHECKPOINT',
        f'{SRUN}test.py CONFIG CHECKPOINT --launcher=slurm',
    ),
}
USAGES = {
    'dist_train.sh': 'CONFIG GPUS [options of train.py]',
    'dist_pretrain.sh': 'CONFIG GPUS [options of pretrain_imagenet.py]',
    'dist_test.sh': 'CONFIG CHECKPOINT GPUS [options of test.py]',
    'slurm_train.sh': 'PARTITION JOB_NAME CONFIG WORK_DIR [options of train.py]',
    'slurm_pretrain.sh': 'PARTITION JOB_NAME CONFIG WORK_DIR '
    '[options of pretrain_imagenet.py]',
    'slurm_test.sh': 'PARTITION JOB_NAME CONFIG CHECKPOINT [options of test.py]',
}


@pytest.mark.parametrize('launcher', LAUNCHERS)
def test_starts_its_tool_from_any_folder(launcher, tmp_path):
    for name in ('python', 'srun'):
        (tmp_path / name).write_text(STAND_IN)
        (tmp_path / name).chmod(0o755)
    arguments, command = LAUNCHERS[launcher]
    done = run(
        *('env', '-C', tmp_path, f'PATH={tmp_path}:/usr/bin:/bin', 'PYTHONPATH=theirs'),
        *('NNODES=2', 'GPUS=16', 'SRUN_ARGS=--exclusive --nice'),
        *(f'{TOOLS}/{launcher}', *arguments.split(), '--show-dir', 'two words'),
    )
    assert done.stdout.splitlines() == [
        *command.split(),
        '--show-dir',
        'two words',
        f'PYTHONPATH={TOOLS}/..:theirs',
    ]


@pytest.mark.parametrize('launcher', LAUNCHERS)
def test_too_few_arguments_are_answered_with_the_usage(launcher):
    *arguments, _ = LAUNCHERS[launcher][0].split()
    done = run(f'tools/{launcher}', *arguments, check=False)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr == f'usage: tools/{launcher} {USAGES[launcher]}\n'


SRUN_OF_A_JOB = """#!/usr/bin/env bash
echo "srun ${*: -1}" >> calls
[ "$(grep -c srun calls)" -lt 3 ] && exit 75
exit 3
"""
SCONTROL = """#!/usr/bin/env bash
echo "scontrol $*" >> calls
"""


@pytest.mark.parametrize(
    ('variables', 'calls', 'status'),
    [
        # From outside of a job: until it ends otherwise.
        ([], ['srun LAST', 'srun --resume', 'srun --resume'], 3),
        (['SLURM_JOB_ID=7'], ['srun LAST', 'scontrol requeue 7'], 75),
        (
            ['SLURM_JOB_ID=7', 'SLURM_RESTART_COUNT=1'],
            ['srun --resume', 'scontrol requeue 7'],
            75,
        ),
    ],
)
@pytest.mark.parametrize('launcher', ['slurm_train.sh', 'slurm_pretrain.sh'])
def test_an_interrupted_training_is_queued_again(
    launcher, variables, calls, status, tmp_path
):
    for name, text in (('srun', SRUN_OF_A_JOB), ('scontrol', SCONTROL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    done = run(
        *('env', '-C', tmp_path, f'PATH={tmp_path}:/usr/bin:/bin', *variables),
        *(f'{TOOLS}/{launcher}', 'part', 'name', 'CONFIG', 'WORK_DIR', 'LAST'),
        check=False,
    )
    assert (tmp_path / 'calls').read_text().splitlines() == calls
    assert done.returncode == status
