"""MMDetection's own train.py and test.py, and ours with its additions turned off, give
the same numbers; and so do both with the config that a run of ours has left."""

import os.path as osp
import sys

import mmdet
import pytest

from mmdet_eca.training.safe_training import SWITCHES
from tests.conftest import ROOT, run
from tests.tools.in_process import call, log
from tests.tools.test_train import coco_metrics, digits_options
from tests.training.resuming.runs import FLIPS, logged

TOOLS = osp.join(osp.dirname(mmdet.__file__), '.mim', 'tools')
BACKBONES = dict(
    plain="dict(_delete_=True, type='ResNet', depth=50, base_channels=16)", eca='dict()'
)
OFF = dict.fromkeys(SWITCHES, False)


def theirs(tool, *words):
    return run(sys.executable, f'{TOOLS}/{tool}.py', *words, PYTHONPATH=ROOT).stdout


@pytest.fixture(scope='module', params=BACKBONES)
def config(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param) / 'config.py'
    path.write_text(
        f"_base_ = '{ROOT}/configs/digits/mask_rcnn_eca_r50_digits.py'\n{FLIPS}"
        f'model = dict(backbone={BACKBONES[request.param]})\n'
    )
    return path


def test_the_same_losses_and_the_same_figures(config, digits, tmp_path):
    def options(**more):
        return digits_options(digits, **{'train_dataloader.num_workers': 0, **more})

    def train(name, path, options):
        call('train', path, '--work-dir', tmp_path / name, *options)
        return logged(tmp_path / name)

    without = train('without', config, options(**OFF))
    theirs('train', config, '--work-dir', tmp_path / 'theirs', *options())
    assert logged(tmp_path / 'theirs') == without and len(without) == 4
    assert coco_metrics(log(tmp_path / 'theirs')) == coco_metrics(
        log(tmp_path / 'without')
    )

    ours = train('ours', config, options())
    assert ours != without  # seeds: of each image, and of each iteration
    left = tmp_path / 'ours' / 'config.py'
    theirs('train', left, '--work-dir', tmp_path / 'again')
    assert logged(tmp_path / 'again') == ours

    words = [config, tmp_path / 'ours' / 'epoch_1.pth', '--work-dir', tmp_path / 'test']
    printed = theirs('test', *words, *options())
    assert coco_metrics(printed) == coco_metrics(log(tmp_path / 'ours'))
