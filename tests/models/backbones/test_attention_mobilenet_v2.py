"""MobileNetV2 with attention in every inverted residual."""

import pytest
import torch
from torch import nn

import mmdet_eca
from mmdet_eca import AttentionMobileNetV2, UserError
from tests.models.backbones.every_backbone import (
    IMAGES,
    assert_same,
    attention_layers,
    build,
)


def test_mobilenet_has_attention_before_the_shortcut():
    """Every inverted residual, layer by layer, as the paper says in 4.2.2."""
    backbone = build('ECAMobileNetV2')
    x = torch.randn(IMAGES)
    out, outs = backbone.conv1(x), []
    for index in range(1, 8):
        for block in getattr(backbone, f'layer{index}'):
            branch = out
            if hasattr(block, 'expand_conv'):
                branch = block.expand_conv(branch)
            branch = block.linear_conv(block.depthwise_conv(branch))
            pooled = branch.mean((2, 3))[:, None]
            gate = nn.functional.conv1d(
                pooled, block.eca.conv.weight, padding='same'
            ).sigmoid()
            branch = branch * gate[:, 0, :, None, None]
            out = out + branch if out.shape == branch.shape else branch
        outs.append(out)
    assert_same(backbone(x)[:3], [outs[1], outs[2], outs[4]])


def test_the_authors_mobilenet_has_36_weights():
    """Kernel sizes of their code: 1 up to 96 channels, 3 above."""
    with torch.device('meta'):
        backbone = mmdet_eca.ECAMobileNetV2(kernel_size=(1, 1, 1, 1, 1, 3, 3))
        added = sum(
            p.numel() for m in attention_layers(backbone) for p in m.parameters()
        )
    blocks = {16: 1, 24: 2, 32: 3, 64: 4, 96: 3, 160: 3, 320: 1}
    assert added == sum(n * (1 if c <= 96 else 3) for c, n in blocks.items())


@pytest.mark.parametrize('kernel_size', [(1, 1, 1, 3), '3'])
def test_wrong_kernel_sizes_of_mobilenet_are_named(kernel_size):
    with pytest.raises(UserError, match="7 in all, got 4|odd.*got '3'"):
        mmdet_eca.ECAMobileNetV2(kernel_size=kernel_size)


def test_mobilenets_kernel_sizes_are_checked_in_a_checkpoint():
    sizes = (1, 1, 1, 1, 1, 3, 3)
    source = mmdet_eca.ECAMobileNetV2(kernel_size=sizes, widen_factor=0.25)
    with pytest.raises(UserError, match='set kernel_size=\\(1, 1, 1, 1, 1, 3, 3'):
        AttentionMobileNetV2(
            attention=dict(type='ECALayer', kernel_size=5), widen_factor=0.25
        ).load_state_dict(source.state_dict())
