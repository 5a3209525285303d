"""The attention layer of CONTRIBUTING.md, typed as it stands there."""

import re

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS

from tests.conftest import ROOT


@pytest.fixture(scope='module')
def example():
    """The names that the first block of code with a class defines."""
    with open(f'{ROOT}/CONTRIBUTING.md') as file:
        blocks = re.findall(r'```python\n(.*?)```', file.read(), re.DOTALL)
    [code] = [block for block in blocks if '(ChannelAttention)' in block]
    names = {'__name__': 'example'}
    exec(compile(code, 'CONTRIBUTING.md', 'exec'), names)
    yield names
    del MODELS.module_dict['AffineGate']


def test_the_layer_computes_the_equation_in_its_docstring(example):
    layer = example['AffineGate'](6).double()
    w, b = np.linspace(-2, 3, 6), np.linspace(1, -1, 6)
    layer.weight.data, layer.bias.data = torch.from_numpy(w), torch.from_numpy(b)
    x = np.random.default_rng(0).normal(size=(2, 6, 3, 5))
    gate = 1 / (1 + np.exp(-(w * x.mean((2, 3)) + b)))
    np.testing.assert_allclose(
        layer(torch.from_numpy(x)).detach().numpy(),
        x * gate[:, :, None, None],
        rtol=1e-12,
    )


def test_the_backbone_has_it_in_every_block_and_trains_it_folded(example):
    backbone = example['backbone'].train()
    x = torch.rand(2, 3, 128, 128)
    layers = {
        name: module
        for name, module in backbone.named_modules()
        if isinstance(module, example['AffineGate'])
    }
    assert sorted(layers) == sorted(
        f'layer{stage}.{block}.affine'
        for stage, blocks in enumerate((3, 4, 6, 3), start=1)
        for block in range(blocks)
    )
    sum(out.mean() for out in backbone(x)).backward()
    for layer in layers.values():
        assert layer.weight.grad.abs().sum() > 0
        assert layer.bias.grad.abs().sum() > 0
    backbone.zero_grad()
    plain = MODELS.build(
        dict(
            type='AttentionResNet',
            depth=50,
            attention=dict(type='AffineGate'),
            folded=False,
        )
    )
    plain.load_state_dict(backbone.state_dict())
    for out, expected in zip(backbone.eval()(x), plain.eval()(x)):
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-4)
