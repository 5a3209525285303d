"""The report on classifiers: one that was really trained, and fabricated ones."""

import json
import shutil

import cv2
import matplotlib.colors
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from sklearn.metrics import top_k_accuracy_score

from mmdet_eca.paper import make_plan, paper_trainings, work_dirs, write_report
from mmdet_eca.paper.paper_pictures import draw_figure_4
from mmdet_eca.paper.paper_results import collect_classifiers
from mmdet_eca.pretraining import collate_images
from tests.conftest import ROOT, write_images
from tests.tools.in_process import call

from .work_dirs import ECA_50, PLAIN, write_training

ROW = 'eca_resnet18'
# Two epochs of the row's network, an eighth as wide, on small images.
CONFIG = f"""
_base_ = '{ROOT}/configs/imagenet/{ROW}.py'
_loader = dict(num_workers=0, persistent_workers=False, pin_memory=False)
train_dataloader = dict(
    **_loader, batch_size=20, dataset=dict(
        root='DATA/train',
        pipeline=[dict(type='LoadRandomResizedCrop', size=24),
                  dict(type='PackImage')]))
val_dataloader = dict(
    **_loader, dataset=dict(
        root='DATA/val',
        pipeline=[dict(type='LoadCenterCrop', size=24, shorter_side=28),
                  dict(type='PackImage')]))
model = dict(backbone=dict(base_channels=8), in_channels=64, num_classes=10)
train_cfg = dict(max_epochs=2)
auto_scale_lr = dict(base_batch_size=20)
default_hooks = dict(logger=dict(interval=1))
"""


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A folder with the work directory of a short run, and its config."""
    folder = tmp_path_factory.mktemp('short')
    write_images(folder / 'train', '0123456789', 20, seed=0)
    write_images(folder / 'val', '0123456789', 8, seed=1)
    config = folder / f'{ROW}.py'
    config.write_text(CONFIG.replace('DATA', str(folder)))
    work_dir = folder / 'work_dirs' / ROW
    call('pretrain-imagenet', config, '--work-dir', work_dir)
    return folder / 'work_dirs', config


@pytest.fixture
def short_row(trained, monkeypatch):
    """Makes the short training the one that the row asks for."""
    config_path, config = work_dirs.config_path, str(trained[1])

    def path(name):
        return config if name == f'imagenet/{ROW}.py' else config_path(name)

    monkeypatch.setattr(work_dirs, 'config_path', path)
    work_dirs._config_of_package.cache_clear()
    yield
    work_dirs._config_of_package.cache_clear()


def accuracy(config, checkpoint):
    """Top-1 and top-5 of a checkpoint, by scikit-learn."""
    cfg = Config.fromfile(str(config))
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model).eval()
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
    state = torch.load(checkpoint, weights_only=False)['state_dict']
    model.load_state_dict(state)
    images = [dataset[index] for index in range(len(dataset))]
    batch = collate_images(images)
    with torch.no_grad():
        scores = model(**model.data_preprocessor(batch))
    labels = [image['data_samples'] for image in images]
    return [
        100 * top_k_accuracy_score(labels, scores, k=k, labels=range(10))
        for k in (1, 5)
    ]


def row_of(results, name=ROW, table=3):
    (row,) = (r for r in results if (r['name'], r['table']) == (name, table))
    return row


def test_a_run_is_reported_as_scikit_learn_says(short_row, trained, tmp_path):
    root, config = trained
    results = write_report(str(root), str(tmp_path), tables=[3], figures=[1])
    row = row_of(results)
    top1, top5 = accuracy(config, root / ROW / 'epoch_2.pth')
    assert 10 < top1 < 99  # no trivial comparison
    assert (row['top1'], row['top5']) == (
        pytest.approx(top1, abs=0.006),
        pytest.approx(top5, abs=0.006),
    )
    assert row['runs'] == [f'{root}/{ROW}'] and not row['problems']
    assert row['train_fps'] > 1
    assert (row['paper_top1'], row['paper_top5']) == (70.78, 89.92)
    assert f'| {row["top1"]:.2f} (70.78) |' in (tmp_path / 'tables.md').read_text()
    assert {path.name for path in tmp_path.iterdir()} == {
        'tables.md',
        'imagenet.csv',
        'figure1.png',
        'imagenet_training.png',
    }


def test_a_run_stopped_in_its_last_evaluation_is_resumed(short_row, trained, tmp_path):
    root, config = trained
    shutil.copytree(root / ROW, tmp_path / ROW)
    (scalars,) = tmp_path.glob('*/*/vis_data/scalars.json')
    lines = scalars.read_text().splitlines()
    assert 'top1' in lines[-1]
    scalars.write_text('\n'.join(lines[:-1]) + '\n')
    (step,) = make_plan(paper_trainings(names=[ROW]), str(tmp_path), 4)
    assert step['state'] == 'unevaluated'
    assert step['command'][-2:] == ['--resume', f'{tmp_path}/{ROW}/epoch_1.pth']
    call('pretrain-imagenet', config, *step['command'][3:])
    assert make_plan(paper_trainings(names=[ROW]), str(tmp_path), 4) == []
    results = [
        row_of(write_report(str(folder), str(tmp_path / 'report'), tables=[3]))
        for folder in (root, tmp_path)
    ]
    assert results[0]['top1'] == results[1]['top1']


def test_means_are_over_finished_runs_of_the_row(reproduce_tables, tmp_path):
    write_training(tmp_path / 'a', ECA_50, epochs=[99, 100], ap=0.77)
    write_training(tmp_path / 'b', ECA_50, epochs=[99, 100], ap=0.78)
    write_training(tmp_path / 'plain', 'resnet50', epochs=[100], ap=0.76)
    write_training(tmp_path / 'mine', 'eca_resnet50_modern', epochs=[40], ap=0.79)
    write_training(tmp_path / 'half', ECA_50, epochs=range(49, 51), ap=0.9)
    write_training(tmp_path / 'nan', ECA_50, epochs=[100], ap=0.9, loss=float('nan'))
    write_training(
        tmp_path / 'crop',
        ECA_50,
        epochs=[100],
        ap=0.9,
        val_dataloader__dataset__pipeline=[dict(type='LoadCenterCrop', size=288)],
    )
    write_training(
        tmp_path / 'lr', ECA_50, epochs=[100], ap=0.9, optim_wrapper__optimizer__lr=1
    )
    write_training(tmp_path / 'detector', PLAIN)  # is not asked for
    printed = reproduce_tables(
        'report', '--table', 2, 3, 4, '--figure', 4, '--json', '--work-dirs', tmp_path
    )
    rows = json.loads(printed.out)
    assert len(rows) == 10 + 26 + 7 + 12 + 1
    eca, plain = row_of(rows, ECA_50), row_of(rows, 'resnet50')
    assert (eca['top1'], plain['top1'], eca['top5']) == (77.5, 76, 87.5)
    assert eca['std_top1'] == pytest.approx(2**-0.5, abs=0.005)
    assert (eca['gain_top1'], eca['paper_gain_top1']) == (1.5, 2.28)
    assert plain['gain_top1'] is plain['paper_gain_top1'] is None
    assert (eca['params'], eca['params_unit']) == (24.373, '2^20')
    assert eca['flops'] == pytest.approx(3.86, abs=0.005)
    assert eca['train_fps'] == 4 * 64 / 0.1
    assert row_of(rows, ECA_50, 4)['top1'] == 77.5
    points = {row['kernel_size']: row for row in rows if row['figure'] == 4}
    assert points['adaptive']['backbone'] == 'ResNet-101'  # the last of that size
    mine = row_of(rows, 'eca_resnet50_modern', None)
    assert mine['top1'] == 79 and mine['figure'] is None
    text = (tmp_path / 'report' / 'tables.md').read_text()
    assert '| 77.50 ±0.71 (77.48) |' in text
    left_out = text.split('## Left out')[1]
    for problem in (
        'half is unfinished: 50 of 100 epochs',
        'nan diverged',
        'val_dataloader.dataset.pipeline.',
        'optim_wrapper.',
    ):
        assert problem in left_out


def test_tool_refuses_another_table(reproduce_tables, capsys):
    with pytest.raises(SystemExit):
        reproduce_tables('plan', '--table', 7)
    assert 'argument --table: invalid choice: 7' in capsys.readouterr().err


def test_figures_are_drawn_before_anything_is_trained(
    reproduce_tables, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    printed = reproduce_tables('report', '--table', 1, '--figure', 1, 4).out
    (line,) = (line for line in printed.splitlines() if line.startswith('| GE-theta- '))
    assert [cell.strip() for cell in line.split('|')[2:5]] == ['yes', 'no', 'yes']
    for number in (1, 4):
        picture = cv2.imread(f'work_dirs/report/figure{number}.png')
        assert picture.std() > 10


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were written."""
    found = []

    def save(self, *args, **kwargs):
        found.append(self)
        self.draw_without_rendering()

    monkeypatch.setattr(Figure, 'savefig', save)
    return found


def colour(artist):
    return matplotlib.colors.to_hex(artist.get_facecolor()[0])


def diamonds(axes):
    """Centres of the marks of our runs, by colour."""
    marks = [c for c in axes.collections if len(c.get_paths()[0].vertices) == 5]
    return {
        (colour(mark), *np.round(point, 2))
        for mark in marks
        for point in mark.get_offsets()
    }


def test_figure_4_has_the_papers_points_and_ours(drawn):
    rows = collect_classifiers([], [], [4])
    draw_figure_4(rows, 'figure4.png')
    for row in rows:
        if row['name'] in ('eca_k5_resnet101', 'se_resnet50'):
            row['top1'] = 78.0
    draw_figure_4(rows, 'figure4.png')
    without, with_runs = drawn
    (axes,) = with_runs.axes
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    assert list(lines['ECA-Net50']) == [77.43, 77.37, 77.42, 77.48]
    assert list(lines['ECA-Net101']) == [78.47, 78.57, 77.99, 78.55]
    assert set(lines['SENet101']) == {77.62}
    assert set(lines['ECA-Net50, adaptive']) == {77.48}
    blue, red = '#1f77b4', '#d62728'
    assert diamonds(axes) == {(red, 5, 78), (blue, 13, 78)}
    assert diamonds(without.axes[0]) == set()
    for figure, ours in ((without, False), (with_runs, True)):
        words = [text.get_text() for text in figure.legends[0].get_texts()]
        assert ('our runs' in words) == ours
