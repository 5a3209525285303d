"""When a training is killed, and which of its processes."""

import contextlib
import os
import os.path as osp
import signal
import time

from tests.chaos import processes
from tests.chaos.witness import EVALUATES

UNFINISHED = 'checkpoint.tmp'
# A start takes milliseconds, with torchrun half a minute; the machine may be busy.
TO_BEGIN, TO_END = 300, 60


class Plan:
    """One kill: while a training starts, trains, evaluates or writes a checkpoint.

    Args:
        rng: What it is drawn from.
        begin: How many seconds it is expected to take to the first iteration.
        seconds: And from there to its end.
        iterations: How many iterations it has left.
        folder: Where checkpoints are written.
        witness: The file which is there when it has begun.
    """

    def __init__(self, rng, begin, seconds, iterations, folder, witness):
        self.unfinished = osp.join(folder, UNFINISHED)
        self.witness = witness
        kinds = ('start', 'training', 'evaluation', 'writing')
        self.when = rng.choices(kinds, (2, 3, 1, 4))[0]
        self.at = time.monotonic() + rng.uniform(0, begin)
        self.seconds = rng.uniform(0, 0.8 * seconds)
        self.left = rng.randint(1, 1 + iterations // 2)
        self.pause = rng.uniform(0, 0.002)
        if self.when == 'evaluation':
            self.left = rng.randint(1, 2)
        self.marker = (
            osp.join(folder, UNFINISHED)
            if self.when == 'writing'
            else osp.join(osp.dirname(witness), EVALUATES)
        )
        self.was_there = osp.exists(self.marker)  # of the kill before

    def is_due(self):
        if self.when == 'training' and osp.exists(self.witness):
            self.when, self.at = 'start', time.monotonic() + self.seconds
        if self.when in ('start', 'training'):
            return self.when == 'start' and time.monotonic() >= self.at
        there = osp.exists(self.marker)
        self.left -= there and not self.was_there
        self.was_there = there
        if self.left == 0:
            time.sleep(self.pause)
        return self.left == 0


def send(start, kind, rng):
    """Ends a training in one of scenarios.KINDS.

    Returns:
        The ids that got the signal; none if there is nothing yet to send it to.
    """
    ranks = start.ranks()
    number, targets = signal.SIGKILL, []
    if kind in ('SIGTERM', 'SIGUSR1'):
        number = getattr(signal, kind)
        # Slurm sends it to all; torchrun hands it on.
        alone = [rng.choice(ranks)] if ranks else []
        if start.scenario.command != 'fork':
            alone = [start.pid]
        together = ranks if start.scenario.command == 'fork' else [start.pid, *ranks]
        targets = rng.choice((alone, together))
    elif kind == 'launcher':
        targets = [start.pid] if ranks else []
    elif kind == 'one rank':
        targets = [rng.choice(ranks)] if ranks else []
    elif kind == 'worker':
        workers = start.workers()
        targets = [rng.choice(workers)] if workers else []
    elif start.scenario.restarts:
        targets = ranks
    else:
        targets = [start.pid, *processes.descendants(start.pid)]
    for pid in targets:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return targets


class Watch:
    """Watches a start to its end, and carries out the plans.

    Attributes:
        statuses: How processes have ended.
        kills: The number of kills.
        while_writing: How many of them came while a checkpoint was written.
        killed: The ids that got a signal.
        lost: What went wrong.
    """

    def __init__(self):
        self.statuses, self.lost = {}, []
        self.kills = self.while_writing = 0
        self.killed = []

    def run(self, start, kind, rng, next_plan):
        """Watches one start.

        Args:
            start: The training.
            kind: How it is ended.
            rng: What the process is drawn from.
            next_plan: Gives a Plan, or None if it is left alone, by how often
                torchrun has started it again.
        """
        plan, begin, killed_at = next_plan(0), time.monotonic(), None
        most = 1 + start.scenario.restarts
        while start.pid not in self.statuses:
            processes.reap(self.statuses)
            if plan is not None and plan.is_due():
                writing = osp.exists(plan.unfinished)
                sent = send(start, kind, rng)
                if sent:
                    self.killed.append(sent)
                    self.kills += 1
                    self.while_writing += writing
                    most -= 1
                    killed_at = time.monotonic()
                    plan = (
                        next_plan(start.scenario.restarts + 1 - most) if most else None
                    )
                    self._wait_for_others(start, sent, killed_at if plan else None)
            now = time.monotonic()
            late = killed_at is not None and not start.scenario.restarts
            if now - begin > TO_BEGIN or (late and now - killed_at > TO_END):
                self._end_hanging(f'{start.pid} does not end')
            time.sleep(0.0005 if start.scenario.command == 'fork' else 0.002)
        left = self._wait_for(start, TO_END)
        if left:
            self._end_hanging(f'outlived by {left}')

    def _wait_for_others(self, start, sent, killed_at):
        """Waits until torchrun has put new ranks in the place of those killed."""
        while (
            killed_at is not None
            and start.pid not in self.statuses
            and time.monotonic() - killed_at < TO_END
            and (not start.ranks() or set(sent) & set(start.ranks()))
        ):
            time.sleep(0.05)
            processes.reap(self.statuses)

    def _wait_for(self, start, limit):
        """Waits for all but the workers of data loaders, which end in seconds."""
        if start.scenario.processes == 1:
            return []
        end = time.monotonic() + limit
        while time.monotonic() < end:
            processes.reap(self.statuses)
            left = processes.descendants(os.getpid())
            if not start.known_ranks.intersection(left):
                return []
            time.sleep(0.02)
        return [processes.described(pid) for pid in left]

    def _end_hanging(self, what):
        self.lost.append(f'hangs: {what}')
        self.end_all()

    def end_all(self):
        """Kills what is left below this process."""
        processes.end_all()
        time.sleep(0.2)
        processes.reap(self.statuses)
