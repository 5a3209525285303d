"""The demo's report on a finished run; `make demo` itself runs the whole."""

import json
import os
import os.path as osp
from glob import glob

import pytest
from mmengine.config import Config

from mmdet_eca import UserError, config_path
from mmdet_eca.digits import demo, make_digits, run_demo
from tests.tools.in_process import call


class Interrupted(Exception):
    """Ctrl-C, which would end the tests as well."""


CONFIG = 'configs/digits/mask_rcnn_eca_r50_digits.py'


@pytest.fixture
def finished(tmp_path):
    """Writes the results of a run; returns the folder."""

    def write(box, mask, **changes):
        metrics = {
            f'coco/{task}_{column}': value
            for task, value in (('bbox', box), ('segm', mask))
            for column in ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
        }
        results = dict(config=CONFIG, seed=0, minutes=8.25, metrics=metrics)
        results.update(checkpoint='work/epoch_4.pth', **changes)
        (tmp_path / 'results.json').write_text(json.dumps(results))
        run = dict(config=osp.realpath(CONFIG), seed=results['seed'])
        (tmp_path / 'run.json').write_text(json.dumps(run))
        return str(tmp_path)

    return write


def test_finished_run_is_reported_not_repeated(finished, capsys):
    folder = finished(0.412, 0.334)
    run_demo(CONFIG, folder, seed=0)
    report = capsys.readouterr().out
    assert 'in 8.2 minutes' in report or 'in 8.3 minutes' in report
    assert 'work/epoch_4.pth' in report and 'predictions.png' in report
    assert 'tools/dist_train.sh configs/mask_rcnn_eca_r50_fpn_1x.py 4' in report
    assert len(report.splitlines()) < 24  # one screen
    with open(f'{folder}/coco.txt') as file:
        lines = [line.replace('|', ' ').split() for line in file if line[0] == '|']
    header, box, mask = lines
    assert header == ['AP', 'AP50', 'AP75', 'APS', 'APM', 'APL']
    assert box == ['box'] + ['0.412'] * 6
    assert mask == ['mask'] + ['0.334'] * 6


@pytest.mark.parametrize(
    ('box', 'mask', 'message'),
    [
        (0.349, 0.4, 'box AP 0.349 is below 0.35'),
        (0.4, 0.299, 'mask AP 0.299 is below 0.3'),
        (float('nan'), 0.4, 'box AP nan is below 0.35'),
    ],
)
def test_ap_below_the_bar_fails(finished, box, mask, message):
    with pytest.raises(UserError, match=message):
        run_demo(CONFIG, finished(box, mask), seed=0)


FASTER = 'configs/digits/faster_rcnn_eca_r50_digits.py'


@pytest.fixture
def interrupted(monkeypatch, tmp_path):
    """A work directory whose run began, of the seed 1; returns the folder and
    the list of the runs that go on."""
    gone_on = []

    def train(config, work_dir, seed):
        gone_on.append((config, work_dir, seed))
        raise Interrupted

    monkeypatch.setattr(demo, '_train', train)
    folder = str(tmp_path / 'work')
    with pytest.raises(Interrupted):
        run_demo(CONFIG, folder, seed=1)
    return folder, gone_on


def test_interrupted_run_goes_on(interrupted):
    folder, gone_on = interrupted
    with pytest.raises(Interrupted):
        run_demo(osp.abspath(CONFIG), folder, seed=1)
    assert gone_on == [(CONFIG, folder, 1), (osp.abspath(CONFIG), folder, 1)]


@pytest.mark.parametrize(('config', 'seed'), [(CONFIG, 0), (FASTER, 1)])
def test_interrupted_run_is_not_taken_for_another(interrupted, config, seed):
    folder, gone_on = interrupted
    with pytest.raises(UserError) as error:
        run_demo(config, folder, seed)
    assert str(error.value) == (
        f'{folder} holds a run of {osp.abspath(CONFIG)} with seed 1, and this '
        f'one is of {config} with seed {seed}: remove it, or give another '
        '--work-dir'
    )
    assert len(gone_on) == 1


def test_results_of_another_run_are_kept(finished):
    folder = finished(0.4, 0.4, seed=1)
    with pytest.raises(
        UserError,
        match='with seed 1, and this one is of .* with '
        'seed 0: remove it, or give another --work-dir',
    ):
        run_demo(CONFIG, folder, seed=0)


def test_unknown_checkpoints_are_not_gone_on_with(tmp_path):
    (tmp_path / 'epoch_1.pth').write_text('of whatever')
    with pytest.raises(UserError, match='holds something that is no run of the'):
        run_demo(CONFIG, str(tmp_path), seed=0)


@pytest.mark.parametrize(
    'name', ['configs/digits/none.py', 'digits/none.py', '/nowhere/none.py']
)
def test_unknown_config_is_named(name, tmp_path):
    with pytest.raises(UserError, match=f'config {name} does not exist'):
        run_demo(name, str(tmp_path / 'work'), seed=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'name', ['mask_rcnn', 'faster_rcnn', 'retinanet', 'eca_resnet50']
)
def test_digits_configs_train_with_every_torch(name):
    """An optimizer that this torch does not have would fail in its first step."""
    suffix = '_eca_r50_digits' if 'net50' not in name else '_digits'
    cfg = Config.fromfile(config_path(f'digits/{name}{suffix}.py'))
    arguments = dict(cfg.optim_wrapper.optimizer)
    assert arguments.pop('type') == 'AdamW' and 'fused' not in arguments


def test_demo_runs_in_any_folder(tmp_path, monkeypatch, capsys):
    """From the data to the results, on few images, for one epoch, whatever its AP is.

    It is stopped after the training, and started again.
    """
    run, write = demo._run, demo._write_json
    drawn = []

    def short(cfg, work_dir, seed, *hooks):
        cfg.train_cfg.max_epochs = 1
        cfg.train_dataloader.batch_size = 4
        return run(cfg, work_dir, seed, *hooks)

    def stop(path, content):
        if path.endswith('results.json') and not drawn:
            drawn.extend(glob(f'{osp.dirname(path)}/*.png'))
            raise Interrupted
        write(path, content)

    monkeypatch.setattr(demo, '_run', short)
    monkeypatch.setattr(demo, 'make_digits', lambda out: make_digits(out, 16, 12))
    monkeypatch.setattr(demo, 'MIN_AP', dict(bbox=-1, segm=-1))
    monkeypatch.setattr(demo, '_write_json', stop)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Interrupted):
        call('demo', '--seed', 5)
    assert {osp.basename(path) for path in drawn} == {'curves.png', 'predictions.png'}
    for path in drawn:
        os.remove(path)
    call('demo', '--seed', 5)
    assert all(osp.exists(path) for path in drawn)
    results = json.loads((tmp_path / 'work_dirs' / 'demo' / 'results.json').read_text())
    assert results['seed'] == 5 and 'coco/segm_mAP' in results['metrics']
    assert osp.samefile(
        results['config'], config_path('digits/mask_rcnn_eca_r50_digits.py')
    )
    # What the report says to type can be typed there.
    again = capsys.readouterr().out.split('Again')[1].replace('\\\n', ' ').split()[:4]
    assert [osp.isfile(tmp_path / word) for word in again[1:]] == [True] * 3
    assert not list((tmp_path / 'work_dirs').glob('*/*.tmp'))
