"""Ours in the place of mmdet's own, in every config that mmdet ships."""

import copy
import hashlib
import itertools
import json
import os.path as osp
import traceback

import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope

from mmdet_eca import UserError
from mmdet_eca.training.checks import check_config
from tests.models.backbones.mmdets_models import (
    CONFIGS,
    backbones,
    distinct_models,
    key,
    read_models,
)

pytestmark = pytest.mark.usefixtures('_surroundings')
OURS = {'ResNet': 'ECAResNet', 'ResNetV1d': 'ECAResNetV1d', 'ResNeXt': 'ECAResNeXt'}
# The other systems, which have mmdet's ResNet alone, in their form for detection.
SYSTEMS = (
    dict(type='CBAMResNet'),
    dict(type='GEResNet'),
    dict(type='GEResNet', variant='theta', extent=8),
    dict(type='GEResNet', variant='theta+', extent=8),
    dict(type='A2ResNet'),
    dict(type='GSoPResNet'),
    dict(type='AAResNet', image_size=(800, 1344)),
    dict(type='GCResNet'),
    dict(type='NonLocalResNet'),
    dict(type='AttentionResNet', attention=dict(type='mmdet.SCSE')),
)
# What they have another layer for.
REPLACED = {'AAResNet': ('dcn', 'conv_cfg'), 'GCResNet': ('plugins',)}
# Besides those of which other tests train one with ECA.
KINDS = ('mask_rcnn', 'solov2', 'yolof')
# Folders with other numbers of classes in the model than its data set has.
CLASS_COUNTS = (
    'cascade_rpn',
    'cityscapes',
    'detectors',
    'guided_anchoring',
    'htc',
    'lvis',
    'maskformer',
    'panoptic_fpn',
    'qdtrack',
    'rpn',
    'scnet',
    'soft_teacher',
)


@pytest.fixture(
    scope='module',
    params=[False, pytest.param(True, marks=pytest.mark.slow)],
    ids=['some', 'every'],
)
def every_config(request):
    """Whether all configs are tested, not only one of every folder."""
    return request.param


@pytest.fixture(scope='module')
def models(every_config):
    """Pairs of a model's config and the names of the files that have it."""
    found = distinct_models(read_models(every_config), OURS)
    assert len(found) > (300 if every_config else 60)
    return found


def with_eca(model):
    model = copy.deepcopy(model)
    for backbone in list(backbones(model, OURS)):
        backbone['type'] = OURS[backbone['type']]
    return model


def with_system(model, system):
    model = copy.deepcopy(model)
    for backbone in list(backbones(model, ['ResNet'])):
        backbone.update(copy.deepcopy(system))
        for name in REPLACED.get(system['type'], ()):
            backbone.pop(name, None)
    return model


def depths(model):
    """Of its backbones that are ResNets."""
    return {backbone['depth'] for backbone in backbones(model, ['ResNet'])}


def build(model):
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(ConfigDict(copy.deepcopy(model)))


def shapes(model, kinds):
    """Shapes of what the backbones of a config give."""
    images = torch.empty(2, 3, 128, 128, device='meta')
    outs = []
    for cfg in backbones(model, kinds):
        # Without dcn, which changes no shape and runs on no meta device.
        backbone = build(dict(cfg, dcn=None))
        backbone.eval()
        outs.append([out.shape for out in backbone(images)])
    return outs


def loss(model, size=96):
    """Of two small images with two objects each."""
    torch.manual_seed(0)
    model = build(model)
    for module in model.modules():  # as it starts, but without downloads
        if 'Pretrained' in str(getattr(module, 'init_cfg', '')):
            module.init_cfg = None
    model.init_weights()
    data = demo_mm_inputs(
        2, (3, size, size), num_items=[2, 2], with_mask=True, with_semantic=True
    )
    for sample in data['data_samples']:
        sample.gt_instances.labels[:] = 0
        sample.gt_sem_seg.sem_seg[:] = 0
    batch = model.train().data_preprocessor(data, True)
    if batch['inputs'].shape[-1] > 2 * size:
        raise RuntimeError(
            f'the data preprocessor makes the images {tuple(batch["inputs"].shape[2:])}'
        )
    total, _ = model.parse_losses(model(**batch, mode='loss'))
    assert total.isfinite()
    return total


def loss_of_larger_images_if_need_be(model):
    """DINO has 900 queries, which small images have no positions for."""
    value, error = outcome(loss, model)
    return value if error is None else loss(model, 256)


def outcome(function, model):
    """What the function returns, or its last line if it raises."""
    try:
        return function(model), None
    except Exception:
        return None, traceback.format_exc().strip().splitlines()[-1]


def compare(check, models, ours=with_eca):
    """Checks ours; where it fails, mmdet's own has to fail with the same error.

    Returns the number of config files and what mmdet's own cannot do.
    """
    passed, failed, impossible = 0, {}, {}
    for model, names in models:
        _, error = outcome(check, ours(model))
        if error is None:
            passed += len(names)
        else:
            _, own_error = outcome(check, model)
            same = own_error is not None and (
                own_error.split(':')[0] == error.split(':')[0]
            )
            kept = impossible if same else failed
            kept.update(dict.fromkeys(names, error))
    assert not failed, failed
    return passed, impossible


def report(capsys, what, passed, impossible):
    with capsys.disabled():
        print(f'\n{what}: {passed} of {passed} mmdet configs')
        for name, reason in impossible.items():
            print(f'  not counted, since with its own backbone: {name}: {reason[:160]}')


def test_every_config_builds_and_its_backbone_gives_the_same_shapes(models, capsys):

    def check(model):
        with torch.device('meta'):
            build(model)

    passed, impossible = compare(check, models)
    report(capsys, 'built with ECA', passed, impossible)
    assert passed > 0.9 * len(models)
    distinct = {str(list(backbones(key(model), OURS))): model for model, _ in models}
    with torch.device('meta'):
        for model in distinct.values():
            assert shapes(with_eca(model), OURS.values()) == shapes(model, OURS)


def datasets(node):
    """The configs of the data sets inside wrappers."""
    if 'dataset' in node or 'datasets' in node:
        for inner in node.get('datasets') or [node.dataset]:
            yield from datasets(inner)
    else:
        yield node


def own_annotations(cfg, folder):
    """Gives every data set of a config an annotation file of its classes."""
    for loader in ('train', 'val', 'test'):
        if cfg.get(f'{loader}_dataloader') is None:
            continue
        for dataset in datasets(cfg[f'{loader}_dataloader'].dataset):
            kind = DATASETS.get(dataset.type)
            metainfo = {
                **(getattr(kind, 'METAINFO', None) or {}),
                **(dataset.get('metainfo') or {}),
            }
            text = json.dumps(
                dict(
                    categories=[
                        dict(id=i, name=name)
                        for i, name in enumerate(metainfo.get('classes') or ())
                    ]
                )
            )
            ending = osp.splitext(dataset.get('ann_file', '.json'))[1]
            path = folder / f'{hashlib.md5(text.encode()).hexdigest()}{ending}'
            path.write_text(text)
            dataset.data_root, dataset.data_prefix = None, {}
            dataset.ann_file = str(path)
        evaluators = cfg.get(f'{loader}_evaluator') or []
        for evaluator in evaluators if isinstance(evaluators, list) else [evaluators]:
            if evaluator.get('ann_file') is not None:
                evaluator.ann_file = str(path)


def without_weights(node):
    """Without the files of pretrained weights, which are not here."""
    if isinstance(node, dict):
        return {
            key: without_weights(value)
            for key, value in node.items()
            if key not in ('init_cfg', 'pretrained')
        }
    return (
        [without_weights(value) for value in node]
        if isinstance(node, (list, tuple))
        else node
    )


def test_the_check_before_a_run_passes_every_config(
    models, capsys, every_config, tmp_path
):
    """Each with its own classes; of a few folders, or of all configs."""
    passed, impossible = 0, {}
    for name in sorted(name for _, names in models for name in names):
        if not (every_config or name.split('/')[0] in CLASS_COUNTS):
            continue
        cfg = Config.fromfile(osp.join(CONFIGS, name))
        own_annotations(cfg, tmp_path)
        cfg.model = with_eca(ConfigDict(without_weights(cfg.model.to_dict())))
        cfg.load_from = None
        loaders = tuple(  # some trackers are only tested
            loader
            for loader in ('train', 'val', 'test')
            if cfg.get(f'{loader}_dataloader', 'a base config has none') is not None
        )
        try:
            with torch.device('meta'):
                check_config(cfg, loaders)
            passed += 1
        except UserError as error:
            raise AssertionError(f'{name} is refused: {error}') from error
        except Exception as error:
            impossible[name] = str(error)
            with pytest.raises(type(error)), torch.device('meta'):
                build(cfg.model)
    report(capsys, 'passed the check', passed, impossible)
    assert passed > 0.9 * (passed + len(impossible)) and passed >= 10


def test_forward_pass_with_losses(models, capsys, every_config):
    """Of a few kinds of detectors, or of all."""
    if not every_config:
        models = [
            (model, names) for model, names in models if names[0].split('/')[0] in KINDS
        ]
        assert len(models) == len(KINDS)
    passed, impossible = compare(loss_of_larger_images_if_need_be, models)
    report(capsys, 'losses with ECA', passed, impossible)
    assert passed > 0.7 * len(models)


@pytest.mark.parametrize('system', SYSTEMS, ids=str)
def test_another_system_gives_the_same_shapes(models, system, every_config):
    """In every distinct ResNet-50, or in the first."""
    distinct = {
        str(list(backbones(key(model), ['ResNet']))): model
        for model, _ in models
        if depths(model) == {50}
    }
    assert len(distinct) > (30 if every_config else 10)
    with torch.device('meta'):
        for model in list(distinct.values())[: None if every_config else 1]:
            ours = with_system(model, system)
            assert shapes(ours, [system['type']]) == shapes(model, ['ResNet'])


def test_losses_with_the_other_systems(models, capsys, every_config):
    """One of them, in turn, in each type of detector, or in two."""
    types = {}
    for model, names in models:
        if depths(model) and min(depths(model)) >= 50:  # A2 and AA need bottlenecks
            types.setdefault(model['type'], (model, names))
    if not every_config:
        types = {name: types[name] for name in ('MaskRCNN', 'RetinaNet')}
    turns = itertools.cycle(SYSTEMS)
    passed, impossible = compare(
        loss_of_larger_images_if_need_be,
        types.values(),
        lambda model: with_system(model, next(turns)),
    )
    report(capsys, 'losses with another system', passed, impossible)
    assert passed > 0.7 * len(types)
