"""What a run does not wait for."""

import gc

import pytest

from mmdet_eca.training.runner import build_runner
from tests.training.resuming.toy import ToyNumbers, toy_config


def test_data_sets_are_read_without_a_search_for_cycles(tmp_path, monkeypatch):
    while_reading = []
    read = ToyNumbers.load_data_list
    monkeypatch.setattr(
        ToyNumbers,
        'load_data_list',
        lambda self: while_reading.append(gc.isenabled()) or read(self),
    )
    runner = build_runner(toy_config(tmp_path), ('train',))
    assert gc.isenabled()
    runner.train()
    assert while_reading == [False]
    assert gc.isenabled()


def test_cycles_are_searched_for_after_a_data_set_that_fails(tmp_path, monkeypatch):
    def fail(self):
        raise MemoryError

    monkeypatch.setattr(ToyNumbers, 'load_data_list', fail)
    runner = build_runner(toy_config(tmp_path), ('train',))
    with pytest.raises(MemoryError):
        runner.train()
    assert gc.isenabled()
