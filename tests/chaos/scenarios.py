"""What a trial does, drawn from its number."""

import random
from typing import NamedTuple

# How a training is ended, and how often in a hundred trials.
KINDS = {
    'one rank': 20,
    'all': 30,
    'launcher': 10,
    'SIGTERM': 10,
    'SIGUSR1': 10,
    'worker': 8,
    'disk full': 12,
}
AS_USERS = 0.04  # the share of trials that are started as users start them
SEVERAL = ('one rank', 'launcher')  # need two processes
DETECTOR = 0.06  # the share of the others that train a detector


class Scenario(NamedTuple):
    """One trial.

    kind: One of KINDS.
    model: One of models.TOTAL.
    processes: 1 or 2.
    command: 'fork', or the tool that starts it: 'train.py', 'dist_train.sh'.
    restarts: How often torchrun starts it again.
    """

    seed: int
    trial: int
    kind: str
    model: str
    processes: int
    command: str = 'fork'
    restarts: int = 0

    def random(self):
        """What the kills are drawn from."""
        return random.Random(f'kills {self.seed} {self.trial}')


def draw(seed, trial):
    """The scenario of a trial, always the same for the same numbers."""
    rng = random.Random(f'scenario {seed} {trial}')
    kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
    processes = 2 if kind in SEVERAL else rng.choice((1, 1, 2))
    model = 'toy, worker' if kind == 'worker' or rng.random() < 0.1 else 'toy'
    if rng.random() < AS_USERS:
        command = 'train.py' if processes == 1 else 'dist_train.sh'
        again = kind in ('one rank', 'all', 'worker') and command == 'dist_train.sh'
        restarts = rng.choice((0, 3)) if again else 0
        return Scenario(seed, trial, kind, model, processes, command, restarts)
    if kind != 'worker' and rng.random() < DETECTOR:
        model = 'detector'
    return Scenario(seed, trial, kind, model, processes)
