"""Whatever is killed, nothing is lost; and if something were, it would be seen."""

import re
import sys

import pytest

from tests.chaos.models import LAST
from tests.chaos.scenarios import KINDS, draw
from tests.chaos.short import DEFECTS, TRIALS
from tests.conftest import run
from tests.soak.lines import read_lines

ONE_THREAD = dict(OPENBLAS_NUM_THREADS='1')  # beside those of every command


@pytest.fixture(scope='module')
def short(tmp_path_factory):
    folder = tmp_path_factory.mktemp('chaos')
    run(sys.executable, '-m', 'tests.chaos.short', folder, **ONE_THREAD)
    return folder


@pytest.mark.slow
def test_nothing_is_lost(short):
    lines = read_lines(short / 'kinds.jsonl')
    done = [(line['kind'], line['model'], line['processes']) for line in lines]
    assert done == TRIALS and {kind for kind, *_ in done} == set(KINDS)
    assert [line['lost'] for line in lines] == [[]] * len(lines)
    assert [line['largest_difference'] for line in lines] == [0] * len(lines)
    assert all(line['kills'] + line['full_disks'] for line in lines)


SEEN = {
    'checkpoints are written in place': 'is cut off',
    'the sampler forgets its position': r'loss of \d+ differs by',
    'the oldest checkpoint is taken': r'went on from \d+, and \d+ had been written',
}


@pytest.mark.slow
@pytest.mark.parametrize('defect', DEFECTS)
def test_a_defect_is_seen(defect, short):
    (line,) = (
        line for line in read_lines(short / 'defects.jsonl') if line['defect'] == defect
    )
    assert line['kills'] and any(re.search(SEEN[defect], text) for text in line['lost'])


def test_a_scenario_is_drawn_from_its_number():
    drawn = [draw(3, trial) for trial in range(1000)]
    assert drawn == [draw(3, trial) for trial in range(1000)]
    assert {scenario.kind for scenario in drawn} == set(KINDS)
    assert {scenario.model for scenario in drawn} == set(LAST)
    as_users = [s for s in drawn if s.command != 'fork']
    assert {s.command for s in as_users} == {'train.py', 'dist_train.sh'}
    assert {s.restarts for s in as_users} == {0, 3}


@pytest.mark.slow
@pytest.mark.parametrize(
    'scenario',
    [
        ('one rank', 'toy', 2, 'dist_train.sh', 0),
        ('one rank', 'toy', 2, 'dist_train.sh', 3),
        ('all', 'toy', 2, 'dist_train.sh', 3),
        ('launcher', 'toy', 2, 'dist_train.sh', 0),
        ('SIGTERM', 'toy', 2, 'dist_train.sh', 0),
        ('worker', 'toy, worker', 2, 'dist_train.sh', 0),
        ('SIGUSR1', 'toy', 1, 'train.py', 0),
        ('all', 'detector', 2, 'fork', 0),
    ],
)
def test_as_users_start_it(scenario, tmp_path):
    code = (
        'import sys\n'
        'from tests.chaos.short import one\n'
        f'one({str(tmp_path)!r}, {scenario!r})'
    )
    run(sys.executable, '-c', code, **ONE_THREAD)
    (line,) = read_lines(tmp_path / 'one.jsonl')
    assert line['kills'] and line['lost'] == []
