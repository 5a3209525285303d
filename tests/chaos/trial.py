"""One trial: a training that is killed and resumed until it is through."""

import os
import os.path as osp
import shutil
import signal
import time

from tests.chaos import checks, processes
from tests.chaos.killing import Plan, Watch
from tests.chaos.models import LAST, TOTAL, write_config
from tests.chaos.scenarios import Scenario
from tests.chaos.starts import NEEDED_SIGKILL, Start

MOST_STARTS = 40
MOST_KILLS_AS_USERS = 2
WORKERS_END = 20  # seconds; torch's look for their parent every 5


class Trainings:
    """Runs trials, and keeps what the uninterrupted trainings gave.

    Args:
        folder: Where they train.
        data: Folder of Digits-COCO, or None if no detector is trained.
        most_kills: In a trial of forked processes.
    """

    def __init__(self, folder, data=None, most_kills=8):
        self.folder = folder
        self.data = data
        self.most_kills = most_kills
        self.references = {}
        self.begins = {}  # seconds to the first iteration, by command and processes

    def reference(self, model, count):
        """What the uninterrupted training gives, in one process or in two."""
        if (model, count) not in self.references:
            folder = self._new_folder(f'whole_{model}_{count}'.replace(', ', '_'))
            scenario = Scenario(0, 0, 'none', model, count)
            words = self._words(scenario, folder)
            watch, begin = Watch(), time.monotonic()
            start = Start(scenario, words, folder, 0, '0,0,0')
            watch.run(start, 'none', None, lambda restart: None)
            seconds = time.monotonic() - begin
            text = start.text()
            if watch.lost or watch.statuses[start.pid]:
                raise RuntimeError(f'without a kill: {watch.lost} {text}')
            reference = checks.read_reference(
                folder, model, _begin(folder, start), seconds
            )
            lost, _ = checks.compare_end(folder, model, reference, 'none')
            if lost:
                raise RuntimeError(f'without a kill: {lost}')
            self.references[model, count] = reference
        return self.references[model, count]

    def run(self, scenario):
        """Runs a trial; returns its line. Its folder is kept if something is lost."""
        reference = self.reference(scenario.model, scenario.processes)
        folder = self._new_folder(f'trial_{scenario.seed}_{scenario.trial}')
        begin = time.monotonic()
        trial = Trial(scenario, folder, reference, self.begins)
        most = self.most_kills if scenario.command == 'fork' else MOST_KILLS_AS_USERS
        trial.run(self._words(scenario, folder), most)
        line = trial.line()
        line['seconds'] = round(time.monotonic() - begin, 3)
        if line['lost']:
            line['folder'] = folder
        else:
            shutil.rmtree(folder, ignore_errors=True)
        return line

    def _words(self, scenario, folder):
        path, options = write_config(
            scenario.model, scenario.processes, folder, self.data
        )
        return [path, '--work-dir', folder, '--resume', *options]

    def _new_folder(self, name):
        folder = osp.join(self.folder, name)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        return folder


class Trial:
    """See Trainings.run."""

    def __init__(self, scenario, folder, reference, begins):
        self.scenario = scenario
        self.folder = folder
        self.reference = reference
        self.begins = begins
        self.rng = scenario.random()
        self.watch = Watch()
        self.lost = []
        self.starts = 0
        self.sigkills = 0  # starts of which a rank ended by torchrun's SIGKILL only
        self.newest = 0  # the iteration of the newest checkpoint

    def run(self, words, most_kills):
        self.most = self.rng.randint(1, most_kills)
        while self.starts < MOST_STARTS:
            full = self._full_disk()
            start = Start(self.scenario, words, self.folder, self.starts, full)
            before = self.watch.kills
            self.watch.run(start, self.scenario.kind, self.rng, self._plan)
            self._check(start, self.watch.kills > before)
            self.starts += 1
            if self._is_through(start) or self.watch.lost:
                break
        else:
            self.lost.append(f'not through after {MOST_STARTS} starts')
        left = processes.wait_for_none(self.watch.statuses, WORKERS_END)
        if left:
            self.lost.append(
                f'outlive the training: {[*map(processes.described, left)]}'
            )
            self.watch.end_all()

    def line(self):
        """What was seen, for the file."""
        lost, losses = checks.differences(self.folder, self.reference)
        at_end, weights = checks.compare_end(
            self.folder, self.scenario.model, self.reference, self.scenario.kind
        )
        records = checks.read_records(self.folder)
        return dict(
            self.scenario._asdict(),
            kills=self.watch.kills,
            while_writing=self.watch.while_writing,
            resumes=sum(bool(record.begin()) for record in records if not record.rank),
            largest_difference=max(losses, weights),
            sigkills=self.sigkills,
            full_disks=sum(len(record.of('full')) for record in records),
            lost=[*self.watch.lost, *self.lost, *lost, *at_end],
        )

    def _plan(self, restart):
        if self.watch.kills >= self.most:
            return None
        if self.scenario.kind == 'disk full' and self.rng.random() < 0.5:
            return None
        total = TOTAL[self.scenario.model]
        left = total - self.newest
        key = self.scenario.command, self.scenario.processes
        begin = self.begins.get(key, 20)
        if self.scenario.command == 'fork':
            begin = self.reference.begin
        training = (self.reference.seconds - self.reference.begin) * left / total
        witness = f'{self.folder}/witness/{self.starts:03}.{restart}.0'
        return Plan(self.rng, begin, training, left, self.folder, witness)

    def _full_disk(self):
        """From which checkpoint on the disk is full, for how many, and the room."""
        if self.scenario.kind != 'disk full' or self.starts > 2:
            return '0,0,0'
        left = max(TOTAL[self.scenario.model] - self.newest, 1)
        first = self.rng.randrange(left)
        return f'{first},{self.rng.randint(1, left)},{self.rng.choice((0, 1000, 9000))}'

    def _check(self, start, killed):
        """Adds what is lost after a start."""
        kind, status = self.scenario.kind, self.watch.statuses[start.pid]
        text = start.text()
        lost, self.newest = checks.check_start(
            self.folder, self.starts, self.newest, kind
        )
        lost += checks.check_message(text)
        self.sigkills += NEEDED_SIGKILL in text
        records = checks.read_records(self.folder, self.starts)
        main = [record for record in records if record.rank == 0]
        if (
            any(record.of('full') for record in main)
            and 'could not be written' not in text
        ):
            lost.append('a full disk is not said')
        if kind in ('SIGTERM', 'SIGUSR1') and killed:
            lost += self._check_signal(main, status)
        elif status not in (0, -signal.SIGKILL) and not killed:
            lost.append(f'ended with {status} by itself: {text[-300:]}')
        begin = _begin(self.folder, start)
        if begin is not None:
            self.begins[self.scenario.command, self.scenario.processes] = begin
        self.lost += [f'start {self.starts}: {text}' for text in lost]

    def _check_signal(self, main, status):
        """A signal to a training ends it after its iteration, with a checkpoint."""
        trains = main and main[-1].begin() is not None and not main[-1].of('through')
        if status == 0 or not trains:
            return []
        if status != 75:
            return [f'ended with {status}, not 75']
        if main[-1].done() > self.newest:
            return [f'{main[-1].done()} iterations, checkpoint of {self.newest} only']
        return []

    def _is_through(self, start):
        """Whether it has ended by itself with its last checkpoint."""
        path = osp.join(self.folder, LAST[self.scenario.model])
        return self.watch.statuses[start.pid] == 0 and osp.exists(path)


def _begin(folder, start):
    """Seconds from a start to its first iteration, or None."""
    for record in checks.read_records(folder, start.number):
        for _, moment in record.of('begins'):
            return float(moment) - start.begin
    return None
