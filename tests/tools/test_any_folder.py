"""The commands in another folder than the repository's root.

The launchers: test_train.py and test_launchers.py.
"""

import os

import pytest

from tests.conftest import ROOT
from tests.tools.in_process import call, mistake

TOOLS = f'{ROOT}/tools'


@pytest.fixture(autouse=True)
def _another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ('command', 'config', 'missing'),
    [
        (
            'train',
            'configs/digits/mask_rcnn_eca_r50_digits.py',
            'data/digits/annotations/instances_train.json does not exist',
        ),
        (
            'pretrain-imagenet',
            'configs/imagenet/eca_resnet50.py',
            'data/imagenet/train is no folder',
        ),
    ],
)
def test_configs_are_found_and_data_is_looked_for_here(
    tmp_path, command, config, missing
):
    line = mistake(command, config)
    assert missing in line
    # The remedy can be typed here.
    assert f'python {TOOLS}/make_digits.py)' in line
    assert not os.listdir(tmp_path)


def test_configs_here_come_first(tmp_path):
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs' / 'retinanet_r50_fpn_1x.py').write_text(
        "_base_ = 'mmdet_eca::retinanet_r50_fpn_1x.py'\nload_from = 'mine.pth'\n"
    )
    line = mistake('train', 'configs/retinanet_r50_fpn_1x.py')
    assert 'checkpoint mine.pth does not exist' in line


def test_digits_are_written_and_pretrained_on_here(tmp_path):
    call('make-digits', '--num-train', 16, '--num-val', 12)
    call(
        'pretrain-imagenet',
        'configs/digits/eca_resnet50_digits.py',
        '--cfg-options',
        'train_cfg.max_epochs=1',
        'train_dataloader.batch_size=16',
    )
    work_dir = tmp_path / 'work_dirs' / 'eca_resnet50_digits'
    assert list(work_dir.glob('eca_resnet50_digits-backbone-*.pth'))


def test_plan_names_tools_that_run_here(tmp_path, capsys):
    call('reproduce-tables', 'plan')
    lines = capsys.readouterr().out.splitlines()
    commands = [line.split() for line in lines if not line.startswith('#')]
    assert len(commands) >= 20
    for tool, config, *_ in commands:
        assert os.access(tmp_path / tool, os.X_OK)
        assert os.path.isfile(tmp_path / config)
