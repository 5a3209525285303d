"""The report: every seed counts, and what does not is named."""

import csv
import json
from statistics import mean, stdev

import cv2
import numpy as np
import pytest
from scipy import stats

from mmdet_eca import UserError
from mmdet_eca.paper import DIGITS, write_seeds_report
from mmdet_eca.paper.paired_seeds import paired_difference, seeds_needed

from .work_dirs import detector_metrics, write_run

PLAIN, SE, ECA = (f'mask_rcnn{name}_r50_digits' for name in ('', '_se', '_eca'))
BOX = {
    PLAIN: [0.490, 0.500, 0.496, 0.505],
    SE: [0.492, 0.498, 0.496, 0.506],
    ECA: [0.502, 0.512, 0.506, 0.520],
}
# Of Student's t for a probability of 0.975 and 3 degrees of freedom, by its tables.
T_QUANTILE = 3.182446


@pytest.fixture
def work(tmp_path):
    for name, values in BOX.items():
        for seed, value in enumerate(values):
            folder = tmp_path / 'work' / 'digits' / name / f'seed_{seed}'
            write_run(folder, name, detector_metrics(value, value - 0.1))
    return tmp_path


def report(tmp_path):
    folders = (str(tmp_path / name) for name in ('work', 'results', 'report'))
    rows, text = write_seeds_report(DIGITS, *folders)
    assert (tmp_path / 'report' / 'digits.md').read_text() == text
    return {(r['name'], r['task'], r['column']): r for r in rows}, text


def cells(text, start):
    """The cells of the first line of a table that begins so."""
    lines = [[c.strip() for c in line.split('|')[1:-1]] for line in text.splitlines()]
    return next(line[1:] for line in lines if line[:1] == [start])


def test_means_and_intervals_are_those_of_the_formula(work):
    rows, text = report(work)
    for name, values in BOX.items():
        row = rows[name, 'box', 'AP75']
        percent = [100 * value for value in values]
        assert row['mean'] == pytest.approx(mean(percent))
        assert row['std'] == pytest.approx(stdev(percent))
        assert row['seeds'] == [0, 1, 2, 3] and row['values'] == pytest.approx(percent)
    for name in (SE, ECA):
        row = rows[name, 'mask', 'AP']
        differences = [100 * (a - b) for a, b in zip(BOX[name], BOX[PLAIN])]
        half = T_QUANTILE * stdev(differences) / 4**0.5
        middle = mean(differences)
        assert (row['low'], row['high']) == pytest.approx(
            (middle - half, middle + half)
        )
    assert rows[PLAIN, 'box', 'AP']['difference'] is None

    assert cells(text, 'ECA')[0] == '51.0 ±0.8' and cells(text, 'ECA')[-2] == '4'
    low, high = (rows[ECA, 'box', 'AP'][end] for end in ('low', 'high'))
    assert cells(text, 'ECA - plain')[0] == f'**+1.2 [{low:+.1f}, {high:+.1f}]**'
    assert cells(text, 'SE - plain')[0].startswith('+0.0 [-0.')  # not bold


def test_what_is_kept_counts_without_its_work_directory(work):
    first, _ = report(work)
    (work / 'work').rename(work / 'elsewhere')
    (work / 'work').mkdir()
    second, _ = report(work)
    assert first == second
    stored = json.loads((work / 'results' / 'mask_rcnn.json').read_text())
    assert len(stored) == 12
    (run,) = (r for r in stored if (r['name'], r['seed']) == (ECA, 2))
    assert run['metrics']['coco/bbox_mAP'] == 0.506


def test_runs_that_do_not_count_are_named(work):
    broken = work / 'work' / 'digits' / ECA / 'seed_4'
    write_run(broken, ECA, {}, epochs=2)
    diverged = work / 'work' / 'digits' / SE / 'seed_5'
    write_run(diverged, SE, {}, epochs=2)
    scalars = diverged / '20261128_120000' / 'vis_data' / 'scalars.json'
    scalars.write_text(scalars.read_text().replace('"loss": 1', '"loss": NaN'))
    rows, text = report(work)
    assert rows[ECA, 'box', 'AP']['seeds'] == [0, 1, 2, 3]
    left_out = text.split('## Left out')[1]
    assert f'- {broken} is unfinished: 2 of 4 epochs' in left_out
    assert f'- {diverged} diverged' in left_out


def test_a_run_done_again_is_compared_with_the_first(work):
    report(work)
    (work / 'work' / 'digits' / ECA / 'seed_1').rename(work / 'old')
    write_run(
        work / 'work' / 'digits' / ECA / 'seed_1',
        ECA,
        detector_metrics(0.509, 0.413),
        timestamp='20270101_000000',
    )
    rows, text = report(work)
    assert rows[ECA, 'box', 'AP']['values'][1] == pytest.approx(51.2)  # the first
    again = text.split('## Done again')[1]
    assert cells(again, f'{ECA}, seed 1') == ['box AP', '51.2', '50.9', '-0.3', '0.8']


def test_classifiers_are_in_percent_already(tmp_path):
    for seed, value in enumerate((80, 82)):
        folder = tmp_path / 'work' / 'digits' / 'se_gc2_resnet50_digits'
        metrics = dict(top1=value, top5=97)
        write_run(folder / f'seed_{seed}', 'se_gc2_resnet50_digits', metrics)
    _, text = report(tmp_path)
    assert cells(text, 'SE-GC2') == ['81.0 ±1.4', '97.0 ±0.0', '2', '']


def test_files_and_picture(work):
    report(work)
    with open(work / 'report' / 'digits.csv') as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 3 * 2 * 6
    assert lines[0]['values'].split() == [str(100 * value) for value in BOX[PLAIN]]
    picture = cv2.imread(str(work / 'report' / 'digits.png'))
    assert picture.shape[0] > 500 and picture.std() > 10


def test_no_results(tmp_path):
    with pytest.raises(UserError, match='there are no results of a finished run in'):
        report(tmp_path)


def test_a_broken_file_of_results(work):
    report(work)
    path = work / 'results' / 'mask_rcnn.json'
    text = path.read_text()
    for broken in (
        '{',
        '[{"name": "eca"}]',
        text.replace('"seed": 0', '"seed": 3'),
        text.replace(ECA, 'retinanet_r50_digits'),
    ):
        path.write_text(broken)
        with pytest.raises(UserError, match=r'mask_rcnn.json holds no results of runs'):
            report(work)


def test_only_seeds_of_both_rows_count():
    found = paired_difference({0: 5, 2: 8, 9: 100}, {0: 4, 1: -100, 2: 4})
    assert (found['difference'], found['paired']) == (2.5, 2)
    assert paired_difference({0: 1}, {1: 1})['difference'] is None


# Sample sizes of the two-sided paired t-test at 5 % with a power of 80 %, by the
# difference in standard deviations: G*Power's.
@pytest.mark.parametrize(
    ('effect', 'seeds'), [(0.2, 199), (0.5, 34), (0.8, 15), (1, 10)]
)
def test_seeds_needed_are_those_of_the_tables(effect, seeds):
    assert seeds_needed(1, effect) == seeds == seeds_needed(2, -2 * effect)


def test_the_power_is_what_random_runs_show():
    """Four in five experiments with so many seeds find the difference."""
    seeds = seeds_needed(1.5, 2)
    runs = np.random.default_rng(0).normal(2, 1.5, (20_000, seeds))
    found = (stats.ttest_1samp(runs, 0, axis=1).pvalue < 0.05).mean()
    assert 0.8 - 0.01 < found < 0.9
