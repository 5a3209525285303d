"""Each kind of end costs nothing; and a loss that there is, is seen."""

import json
import sys

import pytest

from tests.conftest import ONE_THREAD, run
from tests.soak.trial import ENDS, KINDS

# In a process that has no threads: trainings are forked from it.
CODE = """
import json, sys
from tests.soak import trial
print(json.dumps(trial.run(**json.loads(sys.argv[1]), references={})))
"""


def line(**words):
    done = run(sys.executable, '-c', CODE, json.dumps(words), **ONE_THREAD)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize('ranks', [1, 2])
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('end', ENDS)
def test_nothing_is_lost(kind, end, ranks, tmp_path):
    words = dict(seed=7, folder=f'{tmp_path}/trial', kind=kind, end=end, ranks=ranks)
    found = line(**words)
    assert found['lost'] == [] and found['kills']


def test_a_loss_is_seen(tmp_path):
    """In mmengine's loop a resumed training is another one."""
    words = dict(kind='epochs', end='SIGKILL', ranks=1, exact_resume=False)
    for seed in range(7, 12):  # on a busy machine the end may come before the kill
        found = line(seed=seed, folder=f'{tmp_path}/{seed}', **words)
        if found['kills']:
            break
    assert found['kills'] and any('loss' in text for text in found['lost'])
