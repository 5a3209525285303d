import copy

import pytest
import torch
from mmcv.cnn import build_conv_layer
from mmcv.ops import RoIAlign
from mmdet.models.backbones import DetectoRS_ResNet
from mmdet.registry import HOOKS, MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.hub import get_config
from mmengine.registry import DefaultScope
from torch import nn

from mmdet_eca import config_path
from mmdet_eca.training.hooks import ChannelsLastHook, to_channels_last


class Crops(nn.Module):
    """A convolution and RoIAlign on what it gives."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.align = RoIAlign(4, 0.5, 1)

    def rois(self, x):
        return x.new_tensor([[0, 1, 1, 20, 24], [1, 0, 4, 16, 16]])

    def forward(self, x):
        return self.align(self.conv(x), self.rois(x))


class CropsByKeyword(Crops):
    def forward(self, x):
        return self.align(rois=self.rois(x), input=self.conv(x))


def deformable():
    torch.manual_seed(1)
    layers = [
        build_conv_layer(dict(type=kind, deform_groups=2), 8, 8, 3)
        for kind in ('DCN', 'DCNv2')
    ]
    for layer in layers:
        nn.init.normal_(layer.conv_offset.weight, std=0.1)
    return nn.Sequential(nn.Conv2d(3, 8, 3), *layers, nn.Conv2d(8, 4, 1))


class DetectoRS(DetectoRS_ResNet):
    """Of DetectoRS-SAC: weight standardisation, switchable atrous and deformable
    convolutions, with offsets and switches that do something."""

    def __init__(self):
        super().__init__(
            depth=50,
            base_channels=4,
            norm_eval=True,
            conv_cfg=dict(type='ConvAWS'),
            sac=dict(type='SAC', use_deform=True),
            stage_with_sac=(False, True, True, True),
            output_img=False,
        )
        self.train()
        for name, parameter in self.named_parameters():
            if 'offset' in name or 'switch' in name:
                nn.init.normal_(parameter, std=0.1)

    def forward(self, x):
        return super().forward(x)[-1]


@pytest.mark.parametrize('build', [Crops, CropsByKeyword, deformable, DetectoRS])
def test_mmcvs_operators_give_the_same_outputs_and_gradients(build, device):
    plain = build().to(device)
    converted = to_channels_last(to_channels_last(copy.deepcopy(plain)))
    if build is DetectoRS:  # deep: float32 differs by 1e-3
        plain, converted = plain.double(), converted.double()
    x = torch.randn(2, 3, 96, 96).to(next(plain.parameters()))
    outs = [model(x) for model in (plain, converted)]
    torch.testing.assert_close(outs[1], outs[0])
    for out in outs:
        out.square().sum().backward()
    for one, other in zip(plain.parameters(), converted.parameters()):
        torch.testing.assert_close(other.grad, one.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('detector', ['mask_rcnn', 'retinanet'])
def test_detector_has_the_same_losses(detector, device):
    cfg = Config.fromfile(config_path(f'digits/{detector}_eca_r50_digits.py'))
    assert dict(type='ChannelsLastHook') in cfg.custom_hooks
    assert HOOKS.get('ChannelsLastHook') is ChannelsLastHook
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model).to(device).train()
        converted = to_channels_last(copy.deepcopy(model))
        data = demo_mm_inputs(2, (3, 96, 128), num_items=[3, 4], with_mask=True)
        losses = []
        for network in (model, converted):
            torch.manual_seed(0)
            batch = network.data_preprocessor(copy.deepcopy(data), True)
            total, _ = network.parse_losses(network(**batch, mode='loss'))
            losses.append(total)
    assert converted.backbone.conv1.weight.is_contiguous(
        memory_format=torch.channels_last
    )
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_detector_that_views_its_maps_finds_the_same():
    """CenterNet's heat maps are of a head whose outputs it takes apart by ``view``."""
    with DefaultScope.overwrite_default_scope('mmdet'):
        cfg = get_config('mmdet::centernet/centernet_r18_8xb16-crop512-140e_coco.py')
        cfg.model.backbone.init_cfg = None
        torch.manual_seed(0)
        model = MODELS.build(cfg.model).eval()
        converted = to_channels_last(to_channels_last(copy.deepcopy(model)))
        data = demo_mm_inputs(1, (3, 96, 128), num_items=[3])
        for sample in data['data_samples']:
            sample.set_metainfo(dict(border=[0, 0, 0, 0]))
        found = []
        for network in (model, converted):
            batch = network.data_preprocessor(copy.deepcopy(data), False)
            found.append(network(**batch, mode='predict')[0].pred_instances)
    assert len(found[0]) > 10
    torch.testing.assert_close(found[1].scores, found[0].scores)
    assert converted.backbone.layer1[0].conv1.weight.is_contiguous(
        memory_format=torch.channels_last
    )
