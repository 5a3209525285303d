"""Attention for the weights of every model that mmdet ships."""

import copy
import itertools

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope

from mmdet_eca import UserError
from mmdet_eca.weights.add_attention import add_attention
from tests.models.backbones.mmdets_models import (
    backbones,
    distinct_models,
    key,
    read_models,
)
from tests.models.backbones.test_identity_start import KINDS, LAYERS
from tests.weights.layouts import fill

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('_surroundings')]

# Why mmdet cannot build a model: parts that are not installed, or are on the network.
REASONS = (
    'num_classes',
    'scikit-image',
    'motmetrics',
    'mmpretrain',
    'fairscale',
    'needs http',
)
# Where a model has backbones that get attention.
PLACES = ('backbone.', 'detector.backbone.', 'teacher.backbone.', 'student.backbone.')
# Those that take maps of any size, and blocks of 16 channels.
LAYERS_IN_TURN = itertools.cycle(
    layer for layer in LAYERS if layer['type'] not in ('GatherExcite', 'GSoP')
)


def build(cfg):
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(ConfigDict(copy.deepcopy(cfg)))


def small(cfg):
    """A backbone of few channels, so that hundreds of them take minutes."""
    groups = cfg.get('norm_cfg', {}).get('type') == 'GN'  # 32 of them
    few = dict(base_channels=32 if groups else 16)
    if cfg['type'] == 'MobileNetV2':
        few = {}
    return dict(cfg, init_cfg=None, pretrained=None, **few)


def seeded(model):
    """The backbones' weights and statistics, and one number for each of the others."""
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    ours = fill({name: s for name, s in shapes.items() if name.startswith(PLACES)})
    for name, value in ours.items():
        if name.endswith(('bn3.weight', 'gn3.weight')):
            value *= 0.2  # else maps grow with the depth as in no trained network
        elif 'conv_offset' in name:
            value *= 0.01  # mmdet starts them at 0; large ones multiply the rounding
    return {
        **{name: torch.rand(()).expand(shape) for name, shape in shapes.items()},
        **ours,
    }


def get_attention(backbone):
    """Of a plain backbone's config, with the layer that is next."""
    layer = next(LAYERS_IN_TURN)
    return dict(backbone, type=f'Attention{backbone["type"]}', attention=layer)


@torch.no_grad()
def check_outputs(plain_cfg, cfg, plain_weights, weights, place):
    """Bit for bit layer by layer; returns how far the folded backbone is from it."""

    def outputs(cfg, weights):
        backbone = build(cfg)
        backbone.load_state_dict(
            {k[len(place) :]: v for k, v in weights.items() if k.startswith(place)}
        )
        backbone.eval()
        return backbone(images)

    # Deformable convolutions refuse maps smaller than their kernels.
    size = 128 if plain_cfg.get('dcn') else 64
    images = torch.randn(2, 3, size, size)
    expected = outputs(plain_cfg, plain_weights)
    folds = {} if 'MobileNet' in cfg['type'] else dict(folded=False)
    assert all(map(torch.equal, outputs(dict(cfg, **folds), weights), expected))
    assert all(out.isfinite().all() and out.any() for out in expected)
    return max(
        float((out - wanted).norm() / wanted.norm())
        for out, wanted in zip(outputs(cfg, weights), expected)
    )


def test_every_model_takes_attention_and_computes_what_it_did(tmp_path, capsys):
    """Every model's weights go through the file; every backbone runs once."""
    models = distinct_models(read_models(), KINDS)
    assert len(models) > 350
    folded, done, impossible = {}, 0, {}
    path, out = tmp_path / 'plain.pth', tmp_path / 'out.pth'
    for model, names in models:
        model = copy.deepcopy(model)
        for cfg in backbones(model, KINDS):
            cfg.update(small(cfg))
        try:
            with torch.device('meta'):
                whole = build(model)
        except Exception as error:  # mmdet's own
            impossible[names[0]] = str(error)
            continue
        plain_weights = seeded(whole)
        torch.save(dict(meta={}, state_dict=plain_weights), path)
        plain = next(backbones(model, KINDS))
        cfg = get_attention(plain)
        if any('context_block' in name for name in plain_weights):
            with pytest.raises(UserError, match='has attention already'):
                add_attention(str(path), str(out), cfg['attention'])
            continue
        lines = add_attention(str(path), str(out), cfg['attention'])
        assert f"type='{cfg['type']}'" in lines, names
        weights = torch.load(out, weights_only=True)['state_dict']
        places = [p for p in PLACES if any(name.startswith(p) for name in weights)]
        with torch.device('meta'):
            for place in places:
                owner = whole.get_submodule(place[:-1].rpartition('.')[0])
                owner.backbone = build(cfg)
        whole.load_state_dict(weights, assign=True)
        text = str(key(plain))
        if text not in folded:
            folded[text] = check_outputs(plain, cfg, plain_weights, weights, places[0])
        out.unlink()
        done += 1
    with capsys.disabled():
        print(
            f'\nattention added to {done} models; {len(folded)} distinct backbones '
            f'compute the same, folded to {max(folded.values()):.1e}'
        )
        for name, reason in impossible.items():
            print(f'  not counted, since mmdet cannot build {name}: {reason[:160]}')
    for reason in impossible.values():
        assert any(known in reason for known in REASONS), reason
    assert not {text: far for text, far in folded.items() if far > 1e-6}
