"""The fuzzing finds what is wrong with a reader, each kind of wrong by its name."""

import collections
import json
import os
import time

import pytest
import torch

from mmdet_eca.errors import UserError
from tests.fuzzing.inputs.mutations import write
from tests.fuzzing.kinds import Kind
from tests.fuzzing.oracle import REFUSED
from tests.fuzzing.runs import run
from tests.fuzzing.worker import Worker


class Command:
    """Pickled as a call of os.system, or of another function."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


def make(content=None):
    def make_file(random, folder):
        path = write(folder, 'a.pth', b'')
        torch.save(content, path)
        return path

    return make_file


def cannot_make(random, folder):
    raise ValueError('no such input')


def unsafe(path):
    torch.load(path, weights_only=False)


def swallows(path):
    try:
        unsafe(path)
    except Exception:
        raise UserError('refused, but too late') from None


def lets_a_key_error_out(path):
    {}['state_dict']


def takes_what_is_claimed(path):
    bytearray(2**30 + 2**27)
    raise UserError('too large')


def hangs(path):
    time.sleep(60)


def dies(path):
    os.abort()


def says_two_lines(path):
    raise UserErrorOfLines('a\nb')


class UserErrorOfLines(UserError):
    def __str__(self):
        return self.args[0]


def changes_a_default(path):
    torch.set_default_dtype(torch.float64)
    raise UserError('refused')


def writes_outside(path):
    with open(f'{os.path.dirname(os.path.dirname(path))}/evil', 'w'):
        pass


def is_right(path):
    raise UserError('refused')


DEFECTS = {
    'does os.system': (make(Command(os.system, 'touch ran')), unsafe),
    'does exec (<code object <module> at': (make(Command(eval, '1 + 1')), swallows),
    'KeyError at test_planted_defects.py': (make(), lets_a_key_error_out),
    'takes 1': (make(), takes_what_is_claimed),
    'hangs for 1 s': (make(), hangs),
    'the process dies of SIGABRT': (make(), dies),
    'a message of several lines': (make(), says_two_lines),
    'changes the default type of torch': (make(), changes_a_default),
    'does open': (make(), writes_outside),
    'could not be made: ValueError': (cannot_make, is_right),
}


@pytest.mark.parametrize('error', DEFECTS)
def test_a_planted_defect_is_reported(error):
    kinds = {'planted': Kind(*DEFECTS[error]), 'right': Kind(make(), is_right)}
    with Worker(kinds, patience=1 if 'hangs' in error else 60) as worker:
        assert worker.run('planted', '0').error.startswith(error)
        after = worker.run('right', '0')  # whatever has become of the process
        assert (after.verdict, after.error) == (REFUSED, '')


def test_a_report_is_gone_on_with(tmp_path):
    out = tmp_path / 'report.jsonl'
    kinds = {'right': Kind(make(), is_right), 'planted': Kind(make(), dies)}
    wrong = run(0, str(out), kinds=kinds)
    out.write_text(out.read_text() + '{"kind": "right", "inp')  # it was killed
    run(0, str(out), kinds=kinds)
    run(0, str(out), kinds=kinds, seed=1)
    assert wrong == 0
    lines = [
        json.loads(line) for line in out.read_text().splitlines() if line[-1] == '}'
    ]
    places = collections.Counter((line['seed'], line['first']) for line in lines)
    assert places == {(0, 0): 1, (0, 100): 1, (1, 0): 1}
    assert {line['refused'] for line in lines} == {100}


def test_what_breaks_a_reader_is_kept(tmp_path):
    out = tmp_path / 'report.jsonl'
    assert (
        run(0, str(out), kinds={'planted': Kind(make(), lets_a_key_error_out)}) == 100
    )
    (error,) = json.loads(out.read_text())['other_errors']
    assert error.startswith('KeyError') and '100 times' in error
    kept = sorted((tmp_path / 'report_inputs').iterdir())
    assert len(kept) == 3
    assert sorted(os.listdir(kept[0])) == ['a.pth', 'why.txt']
