"""The table of the operators, with sizes that a test can wait for."""

import json
import sys

import pytest
import torch

from mmcv_operators import has_compiled_operators
from mmdet_eca.benchmark import benchmark_operators, operators
from mmdet_eca.errors import UserError
from tests.conftest import run


def test_table_has_each_operator(tmp_path, monkeypatch):
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])

    def nms(module):
        return module.nms(boxes, torch.rand(3), iou_threshold=0.5, offset=0)

    monkeypatch.setattr(operators, '_cases', lambda device: dict(nms=nms))
    table = benchmark_operators(2, str(tmp_path), 'cpu')
    results = json.loads((tmp_path / 'operators.json').read_text())
    assert list(results) == ['nms']
    assert ('compiled' in results['nms']) == has_compiled_operators()
    assert len(results['nms']['ours']['seconds']) == 2
    assert 'nms' in table and 'ours, ms' in table
    assert 'mmcv 2.' in (tmp_path / 'operators.md').read_text()


@pytest.mark.skipif(sys.platform != 'linux', reason='Linux counts the pages')
def test_the_memory_of_a_call_is_its_peak():
    """In a process of its own, where nothing else is freed meanwhile."""
    code = (
        'import torch; from mmdet_eca.benchmark.memory import call_bytes; '
        'print(call_bytes(lambda: torch.ones(2**24), torch.device("cpu")))'
    )
    *_, last = run(sys.executable, '-W', 'ignore', '-c', code).stdout.splitlines()
    assert 60 <= int(last) / 2**20 <= 80


def test_rounds_must_be_positive(tmp_path):
    with pytest.raises(UserError, match='rounds.*0'):
        benchmark_operators(0, str(tmp_path))
