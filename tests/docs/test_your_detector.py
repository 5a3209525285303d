"""The head of docs/your_detector.md, exactly as the page has it."""

import pytest
import torch
from mmdet.models import RetinaHead
from mmdet.registry import MODELS

from tests.docs.pages import read_blocks

SMALL = dict(num_classes=3, in_channels=16, feat_channels=16, stacked_convs=1)


@pytest.fixture
def head():
    """A head of the class on the page, as it starts."""
    (block,) = (b for b in read_blocks('docs/your_detector.md') if 'Head)' in b.text)
    exec(compile(block.text, block.place, 'exec'), {'__name__': 'example'})
    head = MODELS.build(dict(type='AttentionRetinaHead', **SMALL))
    head.init_weights()
    yield head
    del MODELS.module_dict['AttentionRetinaHead']


def test_the_plain_heads_weights_load_and_it_computes_the_same(head):
    plain = RetinaHead(**SMALL)
    plain.init_weights()
    keys = head.load_state_dict(plain.state_dict(), strict=False)
    assert keys.missing_keys == ['attention.conv.weight']
    assert not keys.unexpected_keys
    x = [torch.randn(2, 16, size, size) for size in (8, 4)]
    outs, expected = head(x), plain(x)
    for ours, theirs in zip(outs, expected):
        assert all(map(torch.equal, ours, theirs))
    sum(out.square().mean() for out in outs[0]).backward()
    assert head.attention.conv.weight.grad.any()
