"""The table of the operators, with sizes that a test can wait for."""

import json

import pytest
import torch

from mmcv_operators import has_compiled_operators
from mmdet_eca.benchmark import benchmark_operators, operators
from mmdet_eca.errors import UserError


def test_table_has_each_operator_and_its_memory(tmp_path, monkeypatch):
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])

    def nms(module):
        return module.nms(boxes, torch.rand(3), iou_threshold=0.5, offset=0)

    def takes_64_mib(module):
        torch.ones(2**24)

    cases = dict(nms=nms, memory=takes_64_mib)
    monkeypatch.setattr(operators, '_cases', lambda device: cases)
    table = benchmark_operators(2, str(tmp_path), 'cpu')
    results = json.loads((tmp_path / 'operators.json').read_text())
    assert list(results) == ['nms', 'memory']
    assert ('compiled' in results['nms']) == has_compiled_operators()
    assert len(results['nms']['ours']['seconds']) == 2
    size = results['memory']['ours']['peak_bytes']
    assert size is None or 60 <= size / 2**20 <= 80
    assert 'nms' in table and 'ours, ms' in table
    assert 'mmcv 2.' in (tmp_path / 'operators.md').read_text()


def test_rounds_must_be_positive(tmp_path):
    with pytest.raises(UserError, match='rounds.*0'):
        benchmark_operators(0, str(tmp_path))
