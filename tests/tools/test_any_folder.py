"""The tools in another folder than the repository's root."""

import os
import sys

import pytest

from tests.conftest import ROOT, run
from tests.tools.test_train import free_port

TOOLS = f'{ROOT}/tools'


def in_folder(folder, *command, **options):
    return run('env', '-C', folder, f'PYTHONPATH={ROOT}', *command, **options)


@pytest.mark.parametrize(
    ('tool', 'config', 'missing'),
    [
        (
            'train.py',
            'configs/digits/mask_rcnn_eca_r50_digits.py',
            'data/digits/annotations/instances_train.json does not exist',
        ),
        (
            'pretrain_imagenet.py',
            'configs/imagenet/eca_resnet50.py',
            'data/imagenet/train is no folder',
        ),
    ],
)
def test_configs_are_found_and_data_is_looked_for_here(tmp_path, tool, config, missing):
    done = in_folder(tmp_path, sys.executable, f'{TOOLS}/{tool}', config, check=False)
    message = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and missing in message
    # The remedy can be typed here.
    assert f'python {TOOLS}/make_digits.py)' in message
    assert not os.listdir(tmp_path)


def test_configs_here_come_first(tmp_path):
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs' / 'retinanet_r50_fpn_1x.py').write_text(
        "_base_ = 'mmdet_eca::retinanet_r50_fpn_1x.py'\nload_from = 'mine.pth'\n"
    )
    done = in_folder(
        tmp_path,
        sys.executable,
        f'{TOOLS}/train.py',
        'configs/retinanet_r50_fpn_1x.py',
        check=False,
    )
    assert 'checkpoint mine.pth does not exist' in done.stderr.splitlines()[-1]


def test_digits_are_written_and_pretrained_on_here(tmp_path):
    in_folder(
        tmp_path,
        sys.executable,
        f'{TOOLS}/make_digits.py',
        '--num-train',
        16,
        '--num-val',
        12,
    )
    in_folder(
        tmp_path,
        sys.executable,
        f'{TOOLS}/pretrain_imagenet.py',
        'configs/digits/eca_resnet50_digits.py',
        '--cfg-options',
        'train_cfg.max_epochs=1',
        'train_dataloader.batch_size=16',
    )
    work_dir = tmp_path / 'work_dirs' / 'eca_resnet50_digits'
    assert list(work_dir.glob('eca_resnet50_digits-backbone-*.pth'))


def test_plan_names_tools_that_run_here(tmp_path):
    done = in_folder(tmp_path, sys.executable, f'{TOOLS}/reproduce_tables.py', 'plan')
    commands = [
        line.split() for line in done.stdout.splitlines() if not line.startswith('#')
    ]
    assert len(commands) >= 20
    for tool, config, *_ in commands:
        assert os.access(tmp_path / tool, os.X_OK)
        assert os.path.isfile(tmp_path / config)


def test_launcher_finds_configs_of_the_package(tmp_path):
    done = in_folder(
        tmp_path,
        f'{TOOLS}/dist_train.sh',
        'configs/retinanet_r50_fpn_1x.py',
        1,
        '--cfg-options',
        'load_from=none.pth',
        check=False,
        PORT=str(free_port()),
    )
    assert done.returncode == 1
    assert 'checkpoint none.pth does not exist' in done.stderr
