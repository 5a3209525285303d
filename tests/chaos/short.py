"""A trial of each kind, and of trainings with defects, as lines of a file.

    python -m tests.chaos.short FOLDER

The tests start it as a process of its own, since it has to have one thread only.
"""

import os
import os.path as osp
import sys
import time
from unittest import mock

from mmengine.runner import Runner

from mmdet_eca.engine.resuming import ResumableBatchSampler, ResumableRunner, runner
from mmdet_eca.engine.resuming.finding import Found
from tests.chaos import server
from tests.chaos.checks import read_checkpoint
from tests.chaos.killing import UNFINISHED
from tests.chaos.scenarios import Scenario
from tests.soak.lines import append_line

SEED = 15
TRIALS = [
    ('one rank', 'toy', 2),
    ('all', 'toy', 1),
    ('all', 'toy', 2),
    ('launcher', 'toy', 2),
    ('SIGTERM', 'toy', 1),
    ('SIGUSR1', 'toy', 2),
    ('worker', 'toy, worker', 1),
    ('disk full', 'toy', 1),
]


def _save_in_place(self, out_dir, filename, *args, **kwargs):
    """Half of a file, and a moment later the other half."""
    Runner.save_checkpoint(self, out_dir, UNFINISHED, *args, **kwargs)
    whole = osp.join(out_dir, UNFINISHED)
    with open(whole, 'rb') as file:
        content = file.read()
    with open(osp.join(out_dir, filename), 'wb', buffering=0) as file:
        file.write(content[:5000])
        time.sleep(0.01)
        file.write(content[5000:])
    os.remove(whole)


def _forget_position(self, epoch, skipped):
    self.epoch, self.skipped = epoch, 0


def _find_oldest(work_dir, folder, names, logger, since=0):
    names = [name for name in os.listdir(folder) if name.endswith('.pth')]
    found = [(read_checkpoint(osp.join(folder, n))['meta'], n) for n in names]
    found.sort(key=lambda item: item[0]['iter'])
    return next((Found(osp.join(folder, n), meta) for meta, n in found), None)


DEFECTS = {
    'checkpoints are written in place': (
        ResumableRunner,
        'save_checkpoint',
        _save_in_place,
    ),
    'the sampler forgets its position': (
        ResumableBatchSampler,
        'start_at',
        _forget_position,
    ),
    'the oldest checkpoint is taken': (runner, 'find_newest_checkpoint', _find_oldest),
}


def main(folder):
    place = osp.join(folder, 'trainings')
    with server.trainings(place, detectors=False, most_kills=2) as trainings:
        for number, scenario in enumerate(TRIALS):
            line = run_until(trainings, number, scenario, has_happened)
            append_line(osp.join(folder, 'kinds.jsonl'), line)
        for defect, (owner, name, function) in DEFECTS.items():
            with mock.patch.object(owner, name, function):  # forks have it too
                line = run_until(trainings, 50, ('all', 'toy', 1), has_lost)
            append_line(osp.join(folder, 'defects.jsonl'), dict(line, defect=defect))


def one(folder, scenario):
    """Runs trials of one scenario until a kill has come in time."""
    with server.trainings(osp.join(folder, 'trainings')) as trainings:
        line = run_until(trainings, 0, scenario, has_happened)
    append_line(osp.join(folder, 'one.jsonl'), line)


def has_happened(line):
    """Some trainings are through before their kill."""
    return line['kills'] + line['full_disks'] > 0


def has_lost(line):
    return bool(line['lost'])


def run_until(trainings, number, scenario, is_enough, most=6):
    """Runs trials until the line of one is enough; the last line if none is."""
    for i in range(most):
        line = trainings.run(Scenario(SEED, 10 * number + i, *scenario))
        if is_enough(line) or line['lost']:
            break
    return line


if __name__ == '__main__':
    main(sys.argv[1])
