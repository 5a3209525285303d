"""What the plan lists, and that its commands train."""

import shlex
import shutil
from pathlib import Path

import pytest

from mmdet_eca import UserError
from mmdet_eca.digits import make_digits
from mmdet_eca.paper import digits_rows, make_digits_plan, plan_text, read_records
from mmdet_eca.paper.digits_results import keep_results

from ..tools.in_process import call
from .digits_work_dirs import detector_metrics, write_run, write_test

ECA, BACKBONE = 'mask_rcnn_eca_r50_digits', 'eca_resnet50_digits'


def plan(tmp_path, *names, seeds=(0,)):
    work_dirs, results = str(tmp_path / 'work'), str(tmp_path / 'results')
    return make_digits_plan(work_dirs, results, names, seeds)


def states(steps):
    return [(step['name'], step['seed'], step['state']) for step in steps]


def test_everything_is_missing_at_first(tmp_path):
    steps = plan(tmp_path, seeds=None)
    rows = {row.name: row for row in digits_rows()}
    done = set()
    for step in steps:
        # Whatever a run starts from comes before it.
        assert step['starts_from'] is None or step['starts_from'] in done
        done.add((step['name'], step['seed']))
    wanted = {(row.name, seed) for row in rows.values() for seed in range(row.seeds)}
    assert wanted <= done
    assert {rows[name].is_classifier for name, _ in done - wanted} == {True}
    detectors = (step['group'] for step in steps if 'rcnn' in step['name'])
    assert next(detectors) == 'Mask R-CNN'


def test_a_detector_waits_for_its_backbone(tmp_path):
    first, second = steps = plan(tmp_path, ECA, seeds=[3])
    assert states(steps) == [(BACKBONE, 3, 'missing'), (ECA, 3, 'missing')]
    assert second['command'] is None
    text = plan_text(steps)
    assert f'# waits for the weights of {BACKBONE}, seed 3' in text.splitlines()
    assert shlex.join(first['command']) in text.splitlines()

    work_dir = tmp_path / 'work' / 'digits' / BACKBONE / 'seed_3'
    write_run(work_dir, BACKBONE, dict(top1=80, top5=95))
    (step,) = plan(tmp_path, ECA, seeds=[3])
    weights = f'{work_dir}/{BACKBONE}-backbone-01234567.pth'
    assert step['command'][-1] == f'model.backbone.init_cfg.checkpoint={weights}'


def test_what_is_kept_is_not_missing(tmp_path):
    for seed in (0, 1):
        folder = tmp_path / 'work' / 'digits' / BACKBONE / f'seed_{seed}'
        write_run(folder, BACKBONE, dict(top1=80, top5=95))
    keep_results(str(tmp_path / 'work'), str(tmp_path / 'results'))
    assert [record.seed for record in read_records(str(tmp_path / 'results'))] == [0, 1]
    assert plan(tmp_path, BACKBONE, seeds=(0, 1)) == []
    assert states(plan(tmp_path, BACKBONE, seeds=(1, 2))) == [(BACKBONE, 2, 'missing')]
    # On another machine: its results are here, its weights are not.
    (tmp_path / 'work').rename(tmp_path / 'elsewhere')
    assert plan(tmp_path, BACKBONE, seeds=(0, 1)) == []
    assert states(plan(tmp_path, ECA)) == [
        (BACKBONE, 0, 'missing'),
        (ECA, 0, 'missing'),
    ]


def test_unfinished_runs_are_resumed(tmp_path):
    folder = tmp_path / 'work' / 'digits' / BACKBONE / 'seed_0'
    write_run(folder, BACKBONE, {}, epochs=2)
    (step,) = plan(tmp_path, BACKBONE)
    assert step['state'] == 'unfinished' and '--resume' in step['command']
    assert step['problem'].startswith(f'{folder} is unfinished: 2 of ')


def test_a_run_whose_weights_are_gone(tmp_path):
    folder = tmp_path / 'work' / 'digits' / BACKBONE / 'seed_0'
    write_run(folder, BACKBONE, dict(top1=80, top5=95))
    (folder / f'{BACKBONE}-backbone-01234567.pth').unlink()
    first, _ = plan(tmp_path, ECA)
    assert (first['state'], first['command']) == ('unusable', None)
    assert 'has no weights any more: remove it' in plan_text([first])


def test_a_detector_in_scenes_is_tested_in_scenes(tmp_path):
    name = 'mask_rcnn_se_r50_scenes'
    folder = tmp_path / 'work' / 'digits' / name / 'seed_0'
    write_run(folder, name, detector_metrics(0.5, 0.4))
    shutil.rmtree(folder / '20261128_123000')
    data = 'data/digits_scenes_1000/'
    (step,) = plan(tmp_path, name)
    assert step['command'][-2:] == [
        f'test_dataloader.dataset.data_root={data}',
        f'test_evaluator.ann_file={data}annotations/instances_val.json',
    ]
    metrics = detector_metrics(0.3, 0.2)
    write_test(folder, name, metrics, '20261128_140000')  # on others
    assert len(plan(tmp_path, name)) == 1
    write_test(folder, name, metrics, '20261128_150000', data)
    assert plan(tmp_path, name) == []


@pytest.mark.parametrize('lost', [True, False])
def test_a_detector_is_tested_on_many_images(lost, tmp_path):
    folder = tmp_path / 'work' / 'digits' / 'mask_rcnn_r50_digits' / 'seed_0'
    write_run(folder, 'mask_rcnn_r50_digits', detector_metrics(0.5, 0.4))
    assert plan(tmp_path, 'mask_rcnn_r50_digits') == []
    shutil.rmtree(folder / '20261128_123000')
    if lost:  # the evaluation at the end of the training, too
        scalars = folder / '20261128_120000' / 'vis_data' / 'scalars.json'
        lines = scalars.read_text().splitlines()
        scalars.write_text('\n'.join(line for line in lines if 'coco' not in line))
    (step,) = plan(tmp_path, 'mask_rcnn_r50_digits')
    assert step['state'] == 'unevaluated'
    assert step['command'][1].endswith('test.py')
    assert step['command'][3] == f'{folder}/epoch_4.pth'
    keep_results(str(tmp_path / 'work'), str(tmp_path / 'results'))
    assert read_records(str(tmp_path / 'results')) == []

    metrics = detector_metrics(0.3, 0.2)
    write_test(folder, 'mask_rcnn_r50_digits', metrics, '20261128_140000')
    # One on other images afterwards hides it.
    for data, count in ((None, 1), ('data/digits/', 0)):
        if data:
            write_test(folder, 'mask_rcnn_r50_digits', metrics, '20261128_150000', data)
            shutil.rmtree(tmp_path / 'results')
        keep_results(str(tmp_path / 'work'), str(tmp_path / 'results'))
        records = read_records(str(tmp_path / 'results'))
        assert [record.metrics for record in records] == count * [metrics]
        assert records == [] or records[0].begun == '20261128_120000'


def test_a_classifier_that_is_not_evaluated_repeats_its_last_epoch(tmp_path):
    folder = tmp_path / 'work' / 'digits' / BACKBONE / 'seed_0'
    write_run(folder, BACKBONE, {})
    epochs = int(next(folder.glob('epoch_*.pth')).stem.split('_')[1])
    (folder / f'epoch_{epochs - 1}.pth').touch()
    (step,) = plan(tmp_path, BACKBONE)
    assert step['state'] == 'unevaluated'
    place = step['command'].index('--resume')
    assert step['command'][place + 1] == f'{folder}/epoch_{epochs - 1}.pth'


def test_wrong_seeds_and_names(tmp_path):
    with pytest.raises(UserError, match='--seeds must be 0 or more, got -1'):
        plan(tmp_path, seeds=[-1])
    with pytest.raises(UserError, match="no row 'mask_rcnn'"):
        plan(tmp_path, 'mask_rcnn')


@pytest.fixture(scope='module')
def digits(tmp_path_factory):
    """Enough images for every digit to be in both parts."""
    folder = str(tmp_path_factory.mktemp('data') / 'digits')
    make_digits(folder, num_train=8, num_val=12)
    return folder


def run(step, *options):
    _, script, *words = step['command']
    call(Path(script).stem.replace('_', '-'), *words, *options)


def test_the_commands_train_on_what_was_trained_before(tmp_path, digits, monkeypatch):
    """In the smallest: one epoch of two steps each, backbone, detector, retrofit."""
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'digits_1000').symlink_to(digits)
    monkeypatch.chdir(tmp_path)
    for name, extra in (
        (
            'resnet50_digits',
            [
                *('train_dataloader.batch_size=24', 'val_dataloader.batch_size=24'),
                f'train_dataloader.dataset.root={digits}/crops/train',
                f'val_dataloader.dataset.root={digits}/crops/val',
            ],
        ),
        ('mask_rcnn_r50_digits', data_options(digits)),
        ('mask_rcnn_se_r50_finetune_digits', data_options(digits)),
    ):
        (step,) = plan(tmp_path, name)
        run(step, 'train_cfg.max_epochs=1', *extra)
        if name == 'mask_rcnn_r50_digits':
            (step,) = plan(tmp_path, name)
            assert step['state'] == 'unevaluated'
            run(step)  # on the images that its options name
    keep_results(str(tmp_path / 'work'), str(tmp_path / 'results'))
    records = read_records(str(tmp_path / 'results'))
    assert [(record.name, record.seed) for record in records] == [
        ('mask_rcnn_r50_digits', 0),
        ('resnet50_digits', 0),
    ]
    assert {record.epochs for record in records} == {1}
    for record in records:
        kept = set(record.metrics)
        assert kept == set(*(r.metrics for r in digits_rows([record.name])))
    log = min((tmp_path / 'work').glob('digits/mask_rcnn_se*/seed_0/*/*.log'))
    assert 'starts as the identity' in log.read_text()


def data_options(digits):
    parts = dict(train='train', val='val', test='val')
    return [
        'train_dataloader.batch_size=4',
        *(f'{part}_dataloader.dataset.data_root={digits}/' for part in parts),
        *(
            f'{part}_evaluator.ann_file={digits}/annotations/instances_val.json'
            for part in ('val', 'test')
        ),
    ]
