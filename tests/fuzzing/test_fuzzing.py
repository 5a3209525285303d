"""A short form of the fuzzing: every kind, in a process that may die of it."""

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.fuzzing.kinds import KINDS, RARE
from tests.fuzzing.worker import Worker


@pytest.fixture(scope='module')
def worker():
    with Worker(KINDS) as started:
        yield started


@pytest.mark.parametrize('kind', KINDS)
def test_every_input_is_read_or_refused_in_one_line(kind, worker):
    @seed(0)
    @settings(
        max_examples=4 if kind in RARE else 30,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(number=st.integers(0, 2**32))
    def check(number):
        assert not worker.run(kind, f'{kind}:{number}').error

    check()


def test_an_input_is_the_same_again(worker, tmp_path):
    from random import Random

    for name, kind in KINDS.items():
        for folder in ('one', 'other'):
            (tmp_path / folder / name).mkdir(parents=True)
        one, other = (
            kind.make(Random('0'), str(tmp_path / folder / name))
            for folder in ('one', 'other')
        )
        assert one.replace('/one/', '/other/') == other
        assert name in KINDS
