"""Which work directories count, and what is said of the others."""

import pytest

from mmdet_eca import UserError
from mmdet_eca.paper.work_dirs import find_runs, in_percent, read_run

from .work_dirs import write_test, write_training

SECOND = '20240102_000000'


def test_a_whole_run_is_finished(tmp_path):
    write_training(tmp_path)
    run = read_run(str(tmp_path))
    assert (run.state, run.problem, run.epochs) == ('finished', None, 12)
    assert in_percent(run.metrics, 'coco/bbox_mAP_75') == pytest.approx(42.4)


def test_a_resumed_run_is_one_run(tmp_path):
    """The first start died in epoch 6; its checkpoint is of epoch 5."""
    write_training(tmp_path, epochs=range(1, 7), ap=0.9)
    write_training(tmp_path, timestamp=SECOND, epochs=range(6, 13), resume=True)
    run = read_run(str(tmp_path))
    assert run.state == 'finished' and run.metrics['coco/bbox_mAP'] == 0.374
    assert [row['step'] for row in run.training] == list(range(1, 25))
    assert [row['step'] for row in run.evaluations] == list(range(1, 13))


def test_what_died_in_its_first_epoch_does_not_count(tmp_path):
    write_training(tmp_path, epochs=[1], steps=1, evaluate=False)
    write_training(tmp_path, timestamp=SECOND)
    assert read_run(str(tmp_path)).state == 'finished'


def test_a_broken_off_last_line_is_a_killed_run(tmp_path):
    scalars = write_training(tmp_path, epochs=range(1, 8)) / 'vis_data' / 'scalars.json'
    scalars.write_text(scalars.read_text() + '{"loss": 0.')
    assert read_run(str(tmp_path)).state == 'unfinished'


def test_evaluation_by_the_test_tool(tmp_path):
    write_training(tmp_path, evaluate=False)
    assert read_run(str(tmp_path)).state == 'unevaluated'
    write_test(tmp_path, SECOND, 0.3, checkpoint='epoch_11.pth')
    assert read_run(str(tmp_path)).state == 'unevaluated'
    write_test(tmp_path, '20240103_000000', 0.4)
    assert read_run(str(tmp_path)).metrics['coco/bbox_mAP'] == 0.4
    write_test(
        tmp_path,
        '20240104_000000',
        0.5,
        test_dataloader__dataset__ann_file='annotations/mine.json',
    )
    assert "ann_file is 'mine.json'" in read_run(str(tmp_path)).problem


def two_runs(work_dir):
    write_training(work_dir)
    write_training(work_dir, timestamp=SECOND)


def two_configs(work_dir):
    write_training(work_dir)
    write_training(work_dir, 'retinanet_r50_fpn_1x', timestamp=SECOND)


BAD = {
    'holds 2 runs, begun 20240101_000000 and 20240102_000000': two_runs,
    '(retinanet_eca_r50_fpn_1x.py, retinanet_r50_fpn_1x.py)': two_configs,
    'is unfinished: 7 of 12 epochs': lambda w: write_training(w, epochs=range(1, 8)),
    "ann_file is 'instances_val.json', not 'instances_val2017.json'": lambda w: (
        write_training(
            w, val_dataloader__dataset__ann_file='annotations/instances_val.json'
        )
    ),
    'diverged: the loss is nan at iteration 1': lambda w: write_training(
        w, loss=float('nan')
    ),
    'optim_wrapper.optimizer.lr is 0.02, not 0.01': lambda w: write_training(
        w, optim_wrapper__optimizer__lr=0.02
    ),
    'train_cfg.max_epochs is 1, not 12': lambda w: write_training(
        w, epochs=[1], train_cfg__max_epochs=1
    ),
    'model.backbone.init_cfg.checkpoint is None, not '
    "'eca_resnet50_k3557.pth.tar' (and 1 more)": lambda w: write_training(
        w, model__backbone__init_cfg=None
    ),
    '16 images a step, not 8': lambda w: write_training(w, gpus=8),
}


@pytest.mark.parametrize('message', BAD)
def test_what_does_not_count_is_named(message, tmp_path):
    BAD[message](tmp_path)
    run = read_run(str(tmp_path))
    assert message in run.problem and '\n' not in run.problem
    assert run.state in ('unusable', 'unfinished')


@pytest.mark.parametrize(
    'options',
    [
        dict(train_dataloader__dataset__data_root='/somewhere/coco/'),
        dict(train_dataloader__num_workers=9),
        dict(model__backbone__init_cfg__checkpoint='/eca_resnet50_k3557.pth.tar'),
        dict(gpus=8, auto_scale_lr__enable=True),
    ],
)
def test_what_changes_no_result_is_free(options, tmp_path):
    write_training(tmp_path, **options)
    assert read_run(str(tmp_path)).state == 'finished'


def test_runs_are_found_at_any_depth(tmp_path):
    write_training(tmp_path / 'a')
    write_training(tmp_path / 'b' / 'c')
    no_run = tmp_path / 'b' / 'other' / '20240101_000000' / 'vis_data'
    no_run.mkdir(parents=True)
    assert [run.work_dir for run in find_runs(str(tmp_path))] == [
        f'{tmp_path}/a',
        f'{tmp_path}/b/c',
    ]
    with pytest.raises(UserError, match='there is no folder .*none'):
        find_runs(str(tmp_path / 'none'))
