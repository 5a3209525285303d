"""Goes through kinds and seeds, and writes one line of JSON a kind and round."""

import contextlib
import json
import os
import re
import shutil
import time
from collections import Counter

from tests.fuzzing.kinds import KINDS, RARE
from tests.fuzzing.oracle import READ, REFUSED
from tests.fuzzing.worker import Worker, make_input

_ROUND = 100  # inputs of a kind, one after the other
_RARE_ROUND = 10
_KEPT = 3  # files of one error
_LISTED = 20  # errors in a line


def run(minutes, out, seed=0, kinds=KINDS, patience=None):
    """Fuzzes for some time; a report that exists is gone on with.

    Args:
        minutes (float): For how long; a round that has begun is finished.
        out (str): The report, a line of JSON a round. Inputs that were not read as they
            should lie in a folder beside it.
        seed (int): Other seeds make other inputs.
        kinds (dict[str, Kind]): The kinds of input.
        patience (float, optional): Seconds after which an input counts as one that
            hangs.

    Returns:
        int: How many inputs were neither read nor refused as they should.
    """
    end, failures = time.monotonic() + 60 * minutes, 0
    done = _already_done(out, seed)
    kept = Counter()
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    with Worker(
        kinds, **({} if patience is None else dict(patience=patience))
    ) as worker:
        while True:
            for name in kinds:
                count = _RARE_ROUND if name in RARE else _ROUND
                line = _round(worker, name, seed, done[name], count, out, kept)
                done[name] += count
                failures += line.pop('failures')
                with open(out, 'a') as file:
                    file.write(json.dumps(line) + '\n')
                _say(line)
                if time.monotonic() >= end:
                    return failures


def _round(worker, name, seed, first, count, out, kept):
    start, outcomes = time.perf_counter(), []
    for index in range(first, first + count):
        outcomes.append(worker.run(name, f'{seed}:{name}:{index}'))
    wrong = [outcome for outcome in outcomes if outcome.error]
    for outcome in wrong:
        reason = outcome.kind, _without_numbers(outcome.error)
        kept[reason] += 1
        if kept[reason] <= _KEPT:
            _keep(worker.kinds[name], outcome, out)
    listed: dict = {}
    for outcome in wrong:
        listed.setdefault(_without_numbers(outcome.error), []).append(outcome)
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    return dict(
        kind=name,
        inputs=count,
        read=verdicts[READ],
        refused=verdicts[REFUSED],
        other_errors=[
            f'{same[0].error} (seed {same[0].seed}; {len(same)} times)'
            for same in list(listed.values())[:_LISTED]
        ],
        slowest=round(max(outcome.seconds for outcome in outcomes), 3),
        largest_memory=max(outcome.memory for outcome in outcomes),
        seconds=round(time.perf_counter() - start, 3),
        seed=seed,
        first=first,
        failures=len(wrong),
    )


def _without_numbers(error):
    """The same for errors that differ in paths and numbers only."""
    return re.sub(r'/\S+|\d+', '', error)[:80]


def _already_done(out, seed):
    """How many inputs of each kind a report has, of this seed."""
    done = Counter()
    if os.path.isfile(out):
        with open(out, 'r+') as file:
            lines = file.read()
            if lines and not lines.endswith('\n'):  # the run was killed meanwhile
                file.write('\n')
            for text in lines.splitlines():
                try:
                    line = json.loads(text)
                except ValueError:  # the half line
                    continue
                if line['seed'] == seed:
                    done[line['kind']] = max(
                        done[line['kind']], line['first'] + line['inputs']
                    )
    return done


def _keep(kind, outcome, out):
    """Makes an input again, in a folder that stays."""
    place = f'{os.path.splitext(out)[0]}_inputs/{outcome.seed}'.replace(' ', '_')
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place)
    with contextlib.suppress(Exception):  # of one that cannot be made
        make_input(kind, outcome.seed, place)
    with open(f'{place}/why.txt', 'w') as file:
        file.write(f'{outcome.kind}, seed {outcome.seed}: {outcome.error}\n')


def _say(line):
    print(
        f'{line["kind"]}: {line["inputs"]} inputs, {line["read"]} read, '
        f'{line["refused"]} refused, {line["seconds"]:.1f} s, slowest '
        f'{line["slowest"]:.2f} s, {line["largest_memory"] >> 20} MiB',
        *line['other_errors'],
        sep='\n    ',
        flush=True,
    )
