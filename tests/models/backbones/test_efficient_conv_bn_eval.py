"""mmengine's ``efficient_conv_bn_eval``, which traces a backbone by torch.fx."""

import copy

import pytest
import torch
from mmengine.model.efficient_conv_bn_eval import turn_on_efficient_conv_bn_eval
from torch import nn

import mmdet_eca

SMALL = dict(depth=50, base_channels=8)
PLUGINS = [dict(cfg=dict(type='NonLocal2d'), position='after_conv2')]
BACKBONES = {
    'ECAResNet': SMALL,
    'ECAResNet-18': dict(depth=18, base_channels=8),
    'ECAResNet-unfolded': dict(folded=False, **SMALL),
    'ECAResNet-unfolded_with_cp': dict(folded=False, with_cp=True, **SMALL),
    'ECAResNet-plugins': dict(plugins=PLUGINS, **SMALL),
    'AttentionResNet-frozen': dict(
        frozen_stages=2, norm_eval=True, attention=dict(type='SEVar2'), **SMALL),
    'SEResNet-ratio': dict(ratio=8, **SMALL),
    'ECAResNetV1d': dict(stem_channels=16, **SMALL),
    'ECAResNeXt': dict(groups=4, base_width=4, **SMALL),
    'ECAMobileNetV2': dict(widen_factor=0.25),
    'ECAMobileNetV2-with_cp': dict(widen_factor=0.25, with_cp=True),
    'NonLocalResNet': SMALL,
    'CBAMResNet-unfolded': dict(depth=18, base_channels=8, ratio=4, folded=False),
    'GEResNet-unfolded': dict(
        depth=18, base_channels=8, variant='theta', extent=8, folded=False),
    'GSoPResNet-unfolded': dict(depth=18, base_channels=8, width=8, folded=False),
    'A2ResNet': SMALL,
    'AAResNet-unfolded': dict(heads=2, v=0.5, folded=False, **SMALL),
}  # fmt: skip


@pytest.fixture(params=BACKBONES)
def pair(request):
    """The same backbone without and with the option, in float64, with
    statistics that do something."""
    plain = getattr(mmdet_eca, request.param.split('-')[0])(
        **copy.deepcopy(BACKBONES[request.param])
    ).double()
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1)
    model = nn.ModuleDict(dict(backbone=copy.deepcopy(plain)))
    turn_on_efficient_conv_bn_eval(model, ['backbone'])
    return plain, model.backbone


def loss(backbone, x):
    value = sum(out.square().mean() for out in backbone(x))
    value.backward()
    return value.detach()


@pytest.mark.parametrize('training', [True, False])
def test_same_outputs_gradients_and_statistics(pair, training):
    x = torch.randn(2, 3, 96, 96, dtype=torch.float64)
    values = [loss(backbone.train(training), x) for backbone in pair]
    torch.testing.assert_close(*values)
    learned = 0
    for (name, one), other in zip(pair[0].named_parameters(), pair[1].parameters()):
        torch.testing.assert_close(other.grad, one.grad, msg=name)
        learned += one.grad is not None
    assert learned > 20
    for (name, one), other in zip(pair[0].named_buffers(), pair[1].buffers()):
        torch.testing.assert_close(other, one, msg=name)


def test_a_copy_runs_on_its_own_weights(pair):
    """As that of an exponential moving average."""
    plain, traced = pair[0].eval(), copy.deepcopy(pair[1].eval())
    with torch.no_grad():
        for backbone in (plain, traced):
            for parameter in backbone.parameters():
                parameter.mul_(0.9)
        x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
        for out, expected in zip(traced(x), plain(x)):
            torch.testing.assert_close(out, expected)
