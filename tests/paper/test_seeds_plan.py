"""Plans runs with several seeds; the commands of the plan train."""

import shlex
import shutil
from pathlib import Path

import pytest

from mmdet_eca import UserError
from mmdet_eca.digits import make_digits
from mmdet_eca.paper import DIGITS, KeptResults, make_plan, plan_text, select_rows

from ..tools.in_process import call
from .work_dirs import detector_metrics, write_digits_test, write_run

ECA, BACKBONE = 'mask_rcnn_eca_r50_digits', 'eca_resnet50_digits'


def plan(tmp_path, *names, seeds=(0,)):
    rows = select_rows(DIGITS.rows(), names)
    return make_plan(rows, str(tmp_path / 'work'), None, seeds, kept(tmp_path))


def kept(tmp_path):
    return KeptResults(str(tmp_path / 'results'), DIGITS.rows())


def keep(tmp_path):
    """Keeps the results of the work directories; gives all that are kept."""
    kept(tmp_path).keep_finished(str(tmp_path / 'work'))
    return kept(tmp_path).read()


def states(steps):
    return [(step['name'], step['seed'], step['state']) for step in steps]


def test_everything_is_missing_at_first(tmp_path):
    steps = plan(tmp_path, seeds=None)
    rows = {row.name: row for row in DIGITS.rows()}
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
    assert [record.seed for record in keep(tmp_path)] == [0, 1]
    assert plan(tmp_path, BACKBONE, seeds=(0, 1)) == []
    assert states(plan(tmp_path, BACKBONE, seeds=(1, 2))) == [(BACKBONE, 2, 'missing')]
    # On another machine: its results are here, its weights are not.
    (tmp_path / 'work').rename(tmp_path / 'elsewhere')
    assert plan(tmp_path, BACKBONE, seeds=(0, 1)) == []
    assert states(plan(tmp_path, ECA)) == [
        (BACKBONE, 0, 'missing'),
        (ECA, 0, 'missing'),
    ]


def test_a_run_whose_weights_are_gone(tmp_path):
    folder = tmp_path / 'work' / 'digits' / BACKBONE / 'seed_0'
    write_run(folder, BACKBONE, dict(top1=80, top5=95))
    (folder / f'{BACKBONE}-backbone-01234567.pth').unlink()
    first, _ = plan(tmp_path, ECA)
    assert (first['state'], first['command']) == ('unusable', None)
    assert 'has no weights any more: remove it' in plan_text([first])


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
    assert keep(tmp_path) == []

    metrics = detector_metrics(0.3, 0.2)
    write_digits_test(folder, 'mask_rcnn_r50_digits', metrics, '20261128_140000')
    # One on other images afterwards hides it.
    for data, count in ((None, 1), ('data/digits/', 0)):
        if data:
            write_digits_test(
                folder, 'mask_rcnn_r50_digits', metrics, '20261128_150000', data
            )
            shutil.rmtree(tmp_path / 'results')
        records = keep(tmp_path)
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
    records = keep(tmp_path)
    assert [(record.name, record.seed) for record in records] == [
        ('mask_rcnn_r50_digits', 0),
        ('resnet50_digits', 0),
    ]
    assert {record.epochs for record in records} == {1}
    for record in records:
        (row,) = select_rows(DIGITS.rows(), [record.name])
        assert set(record.metrics) == set(row.metrics)
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
