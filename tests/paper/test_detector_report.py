"""The report on runs that were really trained, and on fabricated ones."""

import csv
import json
import shutil

import pytest
from mmengine.config import Config
from mmengine.utils import scandir
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmdet_eca import config_path
from mmdet_eca.paper import write_report
from mmdet_eca.paper.paper_rows import AP_COLUMNS
from mmdet_eca.training.runner import build_runner

from .work_dirs import ECA, PLAIN, write_training

DIGITS, PLAIN_DIGITS = 'mask_rcnn_eca_r50_digits', 'mask_rcnn_r50_digits'


def digits_config(data, config, work_dir, truth, out):
    """A config of four training steps, evaluated on ``truth``."""
    cfg = Config.fromfile(str(config))
    for loader in ('train', 'val', 'test'):
        part = cfg[f'{loader}_dataloader']
        part.update(num_workers=0, persistent_workers=False)
        part.dataset.data_root = data
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.update(ann_file=str(truth), outfile_prefix=str(out))
    cfg.merge_from_dict(
        {
            'train_dataloader.batch_size': 2,
            'train_cfg.max_epochs': 1,
            'default_hooks.logger.interval': 1,
            'randomness.seed': 0,
            'work_dir': str(work_dir),
            'visualizer.name': str(out),
            'launcher': 'none',
            'check_config': False,  # of truth that is not the data set's
        }
    )
    return cfg


def write_truth(predictions, annotations, out):
    """Truth that an untrained detector finds: some of its own boxes, moved."""
    with open(annotations) as file:
        truth = json.load(file)
    truth['annotations'] = []
    for image in truth['images']:
        found = [p for p in predictions if p['image_id'] == image['id']]
        for rank, prediction in enumerate(found[:24:3]):
            x, y, w, h = prediction['bbox']
            x, y = x + rank * w / 40, y + rank * h / 40
            truth['annotations'].append(
                dict(
                    id=len(truth['annotations']) + 1,
                    image_id=image['id'],
                    category_id=prediction['category_id'],
                    bbox=[x, y, w, h],
                    area=w * h,
                    iscrowd=0,
                    segmentation=[[x, y, x + w, y, x + w, y + h, x, y + h]],
                )
            )
    out.write_text(json.dumps(truth))


@pytest.fixture(scope='module')
def runs(digits, tmp_path_factory):
    """Work directories of an ECA detector, a plain one, and a crashed copy.

    The first is evaluated by the test tool's loop, the second while it trains.
    Gives the root, and the truth and results files by config.
    """
    tmp = tmp_path_factory.mktemp('report')
    truth, root = tmp / 'truth.json', tmp / 'work_dirs'
    annotations = f'{digits}/annotations/instances_val.json'
    config = config_path(f'digits/{DIGITS}.py')
    work_dir = root / 'eca'
    cfg = digits_config(digits, config, work_dir, annotations, tmp / 'first')
    build_runner(cfg, ('train', 'val')).train()
    write_truth(json.loads((tmp / 'first.bbox.json').read_text()), annotations, truth)
    # What counts is the last evaluation of the last checkpoint.
    cfg = digits_config(digits, config, work_dir, truth, tmp / DIGITS)
    cfg.load_from = str(work_dir / 'epoch_1.pth')
    build_runner(cfg, ('test',)).test()

    plain = tmp / f'{PLAIN_DIGITS}.py'
    plain.write_text(
        f"_base_ = '{config}'\nmodel = dict(backbone=dict(_delete_=True, "
        "type='ResNet', depth=50, base_channels=16))"
    )
    cfg = digits_config(digits, plain, root / 'plain', truth, tmp / PLAIN_DIGITS)
    build_runner(cfg, ('train', 'val')).train()

    crashed = shutil.copytree(root / 'eca', root / 'crashed')
    (crashed / 'epoch_1.pth').unlink()
    for name in list(scandir(str(crashed), '.json', recursive=True)):
        lines = (crashed / name).read_text().splitlines()
        (crashed / name).write_text(
            '\n'.join(line for line in lines if 'coco/' not in line)
        )
    return root, truth, tmp


def evaluate(truth, results, task):
    """pycocotools, by itself: AP, AP50, AP75, APS, APM, APL."""
    coco = COCO(str(truth))
    predictions = json.loads(results.read_text())
    if task == 'segm':  # or the size of an object would be that of its box
        for prediction in predictions:
            prediction.pop('bbox')
    evaluation = COCOeval(coco, coco.loadRes(predictions), task)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats[:6]


def test_digits_runs_are_reported_as_pycocotools_says(runs, tmp_path):
    root, truth, results = runs
    rows = {
        (row['name'], row['task']): row
        for row in write_report(str(root), str(tmp_path))
    }
    for name, folder in ((DIGITS, 'eca'), (PLAIN_DIGITS, 'plain')):
        for task in ('bbox', 'segm'):
            row = rows[name, task]
            assert row['table'] is None
            assert row['runs'] == [str(root / folder)]
            stats = evaluate(truth, results / f'{name}.{task}.json', task)
            for column, value in zip(AP_COLUMNS, stats):
                expected = None if value < 0 else pytest.approx(100 * value, abs=0.051)
                assert row[column] == expected, (name, task, column)
    eca, plain = rows[DIGITS, 'bbox'], rows[PLAIN_DIGITS, 'bbox']
    assert 5 < eca['AP'] < 95  # no trivial comparison
    assert eca['attention'] == 'eca' and plain['attention'] is None
    assert eca['gain_AP'] == pytest.approx(eca['AP'] - plain['AP'])
    assert eca['problems'] == [
        f'{root}/crashed is unfinished: 0 of 1 epochs; resume it'
    ]
    text = (tmp_path / 'tables.md').read_text()
    assert f'## Left out\n\n- {root}/crashed is unfinished' in text
    assert {path.name for path in tmp_path.iterdir()} == {
        'tables.md',
        'tables.csv',
        'ap.png',
        'training.png',
    }


def test_means_are_over_finished_runs_of_the_row(reproduce_tables, tmp_path):
    work_dirs = tmp_path / 'work_dirs'
    write_training(work_dirs / PLAIN, PLAIN, ap=0.36)
    write_training(work_dirs / ECA, ap=0.37)
    write_training(work_dirs / 'seed1', ap=0.38)
    write_training(work_dirs / 'nan', ap=0.9, loss=float('nan'))
    write_training(work_dirs / 'longer', ap=0.9, train_cfg__max_epochs=24)
    write_training(
        work_dirs / 'other', ap=0.9, val_dataloader__dataset__ann_file='mine.json'
    )
    printed = reproduce_tables('report', '--json', '--work-dirs', work_dirs)
    rows = {(row['table'], row['name']): row for row in json.loads(printed.out)}
    assert len(rows) == 28
    eca, plain = rows[5, ECA], rows[5, PLAIN]
    assert (eca['AP'], plain['AP']) == (37.5, 36)
    assert eca['std_AP'] == pytest.approx(2**-0.5, abs=0.005)
    assert eca['gain_AP'] == 1.5 and eca['paper_AP'] == 37.3
    assert eca['paper_gain_AP'] == pytest.approx(37.3 - 35.6)
    assert len(eca['runs']) == 2 and len(eca['problems']) == 3
    assert eca['params_m'] == pytest.approx(37.74, abs=0.01)
    with open(work_dirs / 'report' / 'tables.csv') as file:
        (line,) = (
            line
            for line in csv.DictReader(file)
            if (line['name'], line['table']) == (ECA, '5')
        )
    assert line['AP'] == '37.5' and 'diverged' in line['problems']
    text = (work_dirs / 'report' / 'tables.md').read_text()
    assert '| 37.5 ±0.7 (37.3) |' in text and '| +1.5 (+1.7) |    2 |' in text
    assert all(
        name in text.split('## Left out')[1]
        for name in ('nan diverged', 'longer was not', 'other was not')
    )
