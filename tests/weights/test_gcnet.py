"""GCNet's detectors, made from mmdet's own with mmcv's plugin ``ContextBlock``."""

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint

from mmdet_eca import GCResNet, UserError
from mmdet_eca.weights.convert import convert_checkpoint
from tests.weights.official_networks import assert_same_features
from tests.weights.small_detectors import (
    as_in_1x,
    build,
    detect,
    save_as_in_1x,
    small_config,
    with_numbers,
)

STAGES = (False, True, True, True)
PLUGIN = dict(
    cfg=dict(type='ContextBlock', ratio=1 / 4), stages=STAGES, position='after_conv3'
)


def with_backbone(backbone, folder):
    """A small Mask R-CNN of 1.x with another backbone."""
    config = Config.fromfile(small_config('mask_rcnn', folder))
    rest = dict(
        norm_eval=True, style='pytorch', out_indices=(0, 1, 2, 3), base_channels=16
    )
    config.model.backbone = dict(depth=50, **backbone, **rest)
    path = folder / f'{backbone["type"]}.py'
    config.dump(path)
    return path


def mmdets_own(folder):
    return build(with_backbone(dict(type='ResNet', plugins=[PLUGIN]), folder))


@pytest.fixture(scope='module')
def known(tmp_path_factory):
    return with_numbers(mmdets_own(tmp_path_factory.mktemp('config')))


def gc_resnet(checkpoint, folder):
    """Our detector with these weights, loaded strictly."""
    backbone = dict(type='GCResNet', ratio=4, stages=STAGES)
    model = build(with_backbone(backbone, folder))
    load_checkpoint(model, checkpoint, strict=True)
    assert isinstance(model.backbone, GCResNet)
    return model.backbone


def test_gcnets_own_detectors_of_0x_detect_the_same(known, tmp_path):
    path = save_as_in_1x(as_in_1x(known.state_dict()), tmp_path / 'gcnet.pth')
    out = str(tmp_path / 'out.pth')
    assert (
        f'mask_rcnn with GCResNet(depth=50, ratio=4, stages={STAGES}) in place of the '
        'ECAResNet, for configs/legacy/mask_rcnn_eca_r50_fpn_1x.py'
    ) in convert_checkpoint(path, out)
    theirs = mmdets_own(tmp_path)
    load_checkpoint(theirs, out, strict=True)
    for result, original in zip(detect(theirs), detect(known)):
        assert len(original.bboxes) > 20 and len(original.labels.unique()) > 1
        for key in ('bboxes', 'labels', 'scores', 'masks'):
            assert torch.equal(result[key], original[key]), key
    ours = gc_resnet(out, tmp_path)
    assert_same_features(ours, theirs.backbone, torch.randn(2, 3, 96, 128))


@pytest.mark.parametrize(
    'meta', [dict(mmdet_version='2.28.2'), dict(mmengine_version='0.10.7')]
)
def test_detectors_with_the_plugin_load_as_they_are(meta, known, tmp_path):
    path, out = str(tmp_path / 'plugin.pth'), str(tmp_path / 'out.pth')
    torch.save(dict(state_dict=known.state_dict(), meta=meta), path)
    assert 'nothing to rename' in convert_checkpoint(path, out)
    names = known.backbone.state_dict()
    found = gc_resnet(path, tmp_path).state_dict()
    assert found.keys() == names.keys()
    assert all(torch.equal(found[name], names[name]) for name in names)


def without_mask(weights):
    weights.pop('backbone.layer3.5.context_block.conv_mask.weight')


def without_a_block(weights):
    for name in list(weights):
        if name.startswith('backbone.layer2.3.context_block.'):
            del weights[name]


def multiplying(weights):
    for name in list(weights):
        if 'channel_add_conv' in name:
            weights[name.replace('_add_', '_mul_')] = weights.pop(name)


def after_the_3x3(weights):
    for name in list(weights):
        if name.endswith('context_block.conv_mask.weight'):
            weights[name] = weights[name][:, ::4].clone()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (without_mask, "lacks 'layer3.5.context_block.conv_mask.weight'"),
        (without_a_block, r"lacks 'layer2.3.context_block.conv_mask.*\(8 names"),
        (multiplying, "lacks 'layer2.0.context_block.channel_add_conv.0.weight'"),
        (after_the_3x3, r'conv_mask.weight is of shape \(1, 32, 1, 1\), in GCResNet'),
    ],
)
def test_other_context_blocks_are_refused(change, message, known, tmp_path):
    weights = as_in_1x(known.state_dict())
    change(weights)
    path = save_as_in_1x(weights, tmp_path / 'gcnet.pth')
    with pytest.raises(UserError, match=message):
        convert_checkpoint(path, str(tmp_path / 'out.pth'))
