"""What a training that was killed and resumed has lost."""

import glob
import os
import os.path as osp
import re
from collections import defaultdict
from typing import NamedTuple

import torch

from mmdet_eca import UserError
from mmdet_eca.checkpoints.files import read_checkpoint
from tests.chaos.models import FILES, LAST

TRACEBACK = 'Traceback (most recent call last)'
WHILE_ENDING = re.compile(
    r'Exception ignored in: .*_MultiProcessingDataLoaderIter.__del__.*\n'
    r'Traceback .*\n(?:  .*\n)+RuntimeError: DataLoader worker .*is killed by signal'
)


class Record(NamedTuple):
    """What the witness has written of one process; see witness.Witness."""

    rank: int
    lines: list

    def of(self, kind):
        return [line[1:] for line in self.lines if line[0] == kind]

    def begin(self):
        """The iteration that it went on from, or None."""
        begins = self.of('begins')
        return int(begins[0][0]) if begins else None

    def saved(self):
        """After which iterations it has written a checkpoint to go on from."""
        return [int(i) for i, name in self.of('saved') if not name.startswith('best_')]

    def done(self):
        """The number of iterations that are done after it, or None."""
        losses = self.of('loss')
        return int(losses[-1][0]) + 1 if losses else self.begin()


def read_records(folder, start=None):
    """The records of a trial, or of one of its starts, by time."""
    pattern = '*.*.*' if start is None else f'{start:03}.*'
    records = []
    for path in sorted(glob.glob(osp.join(folder, 'witness', pattern))):
        with open(path) as file:
            lines = [line.split() for line in file]
        records.append(Record(int(path.rpartition('.')[2]), lines))
    return records


class Reference(NamedTuple):
    """What the uninterrupted training gave: by rank and iteration, and by epoch."""

    losses: dict
    values: dict
    checkpoint: dict
    begin: float  # seconds to its first iteration
    seconds: float


def read_reference(folder, model, begin, seconds):
    losses, values = defaultdict(dict), {}
    for record in read_records(folder):
        losses[record.rank].update(dict(record.of('loss')))
        values.update(dict(record.of('value')))
    return Reference(
        losses, values, read_checkpoint(osp.join(folder, LAST[model])), begin, seconds
    )


def differences(folder, reference):
    """What differs, as texts, and the largest difference of losses and weights."""
    lost, largest = [], 0.0
    for record in read_records(folder):
        for kind, right in (
            ('loss', reference.losses[record.rank]),
            ('value', reference.values),
        ):
            for step, value in record.of(kind):
                if step not in right:
                    lost.append(f'{kind} of {step}, which is after the end')
                elif value != right[step]:
                    off = abs(float.fromhex(value) - float.fromhex(right[step]))
                    largest = max(largest, off)
                    lost.append(f'{kind} of {step} differs by {off:.3g}')
    return lost[:5], largest


def compare_end(folder, model, reference, kind):
    """What differs at the end, as texts, and the largest difference of weights."""
    lost, largest = [], 0.0
    path = osp.join(folder, LAST[model])
    if not osp.exists(path):
        return [f'{LAST[model]} is missing'], largest
    checkpoint = read_checkpoint(path)
    for part in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'):
        one, other = (_tensors(c.get(part)) for c in (checkpoint, reference.checkpoint))
        if one.keys() != other.keys():
            lost.append(f'{part} has other entries')
        for name in one.keys() & other.keys():
            if not torch.equal(one[name], other[name]):
                off = (one[name].double() - other[name].double()).abs().max().item()
                largest = max(largest, off)
                lost.append(f'{part}{name} differs by {off:.3g}')
    names = {name for name in os.listdir(folder) if '.pth' in name or '.tmp' in name}
    found = {'best' if name.startswith('best_') else name for name in names}
    right = FILES[model]
    if kind == 'disk full':  # an older epoch's may be kept in place of a newer one's
        right = {*found, LAST[model]} if len(found) <= len(right) else right
    if found != right or len(found) != len(names) or '.tmp' in str(found):
        lost.append(f'files at the end: {", ".join(sorted(names))}')
    return lost[:5], largest


def check_start(folder, start, before, kind):
    """What one start has lost.

    Args:
        folder: Of the trial.
        start: Its number.
        before: The iteration of the newest checkpoint before it, or 0.
        kind: How it was ended.

    Returns:
        What was lost, as texts, and the iteration of the newest checkpoint after it.
    """
    lost = []
    newest = before
    for record in read_records(folder, start):
        begin = record.begin()
        if record.rank == 0:
            if begin is not None and begin < newest:
                lost.append(f'went on from {begin}, and {newest} had been written')
            newest = max([newest, *record.saved()])
        if record.of('full') and kind != 'disk full':
            lost.append('a checkpoint could not be written')
    for path in glob.glob(osp.join(folder, '*.pth')):
        try:
            read_checkpoint(path)
        except UserError as error:
            lost.append(str(error))
    pointer = osp.join(folder, 'last_checkpoint')
    if osp.exists(pointer):
        with open(pointer) as file:
            path = file.read()
        if not osp.exists(path):
            lost.append(f'last_checkpoint points to {path!r}, which is no file')
    elif len(glob.glob(osp.join(folder, '[ew]*.pth'))) > 1:
        # With one, it was killed between that and the first last_checkpoint.
        lost.append('there is no last_checkpoint')
    return lost, newest


def check_message(text):
    """Tracebacks in what a start has printed."""
    # A worker that is killed in the milliseconds in which it ends by itself: torch says
    # so, and the training goes on.
    text = WHILE_ENDING.sub('', text)
    if TRACEBACK not in text:
        return []
    last = [
        line for line in text.splitlines() if re.match(r'[\w.]+(Error|Exit)\b', line)
    ]
    return [f'traceback: {"; ".join(last[-2:])[:300] or text[-300:]}']


def _tensors(part, name=''):
    """All numbers at any depth, by their place."""
    if isinstance(part, dict):
        items = part.items()
    elif isinstance(part, (list, tuple)):
        items = enumerate(part)
    elif isinstance(part, torch.Tensor):
        return {name: part}
    elif isinstance(part, (int, float)):
        return {name: torch.tensor(part, dtype=torch.float64)}
    else:
        return {}
    found = {}
    for key, value in items:
        found.update(_tensors(value, f'{name}.{key}'))
    return found
