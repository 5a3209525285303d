"""The paper's recipes on ImageNet, read off the configs."""

import functools
import glob
import os.path as osp

import pytest
import torch
from mmdet.registry import MODELS, OPTIM_WRAPPERS
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope

from mmdet_eca import config_path
from mmdet_eca.models.backbones.attention_backbone import AttentionBackbone

DEPTHS = (18, 34, 50, 101, 152)
KERNEL_SIZES = {  # of the authors' released weights
    18: (3, 5, 7, 7),
    34: (3, 3, 5, 7),
    50: (3, 5, 5, 7),
    101: (3, 3, 5, 7),
    152: (3, 3, 5, 7),
}
RESNETS = [
    f'{attention}resnet{depth}' for depth in DEPTHS for attention in ('', 'se_', 'eca_')
]
FIGURE_4 = [
    f'eca_k{kernel_size}_resnet{depth}'
    for depth in (50, 101)
    for kernel_size in (3, 5, 7, 9)
]
# Of the other systems in Tables 1 and 3: the backbone, and the attention in its blocks.
SYSTEMS = {
    'cbam_resnet34': ('CBAMResNet', 'CBAM'),
    'cbam_resnet50': ('CBAMResNet', 'CBAM'),
    'cbam_resnet101': ('CBAMResNet', 'CBAM'),
    'a2_resnet50': ('A2ResNet', 'DoubleAttention'),
    'gc_resnet50': ('GCResNet', 'GlobalContext'),
    'gsop_resnet50': ('GSoPResNet', 'GSoP'),
    'aa_resnet50': ('AAResNet', 'AugmentedConv2d'),
    'aa_resnet101': ('AAResNet', 'AugmentedConv2d'),
    'ge_theta_minus_resnet50': ('GEResNet', 'GatherExcite'),
    'ge_theta_resnet50': ('GEResNet', 'GatherExcite'),
    'ge_theta_plus_resnet50': ('GEResNet', 'GatherExcite'),
}
TABLE_2 = {
    'se_var1_resnet50': dict(type='SEVar1'),
    'se_var2_resnet50': dict(type='SEVar2'),
    'se_var3_resnet50': dict(type='SEVar3'),
    'se_gc1_resnet50': dict(type='SEGroup', groups=16),
    'se_gc2_resnet50': dict(type='SEGroup', group_width=16),
    'se_gc3_resnet50': dict(type='SEGroup', group_width=8),
    'eca_ns_resnet50': dict(type='ECANonShared', kernel_size=3),
}
ALL_RESNETS = [*RESNETS, *FIGURE_4, *SYSTEMS, *TABLE_2]
MOBILENETS = ['mobilenetv2', 'se_mobilenetv2', 'eca_mobilenetv2']
MODERN = ['eca_resnet50_modern', 'eca_resnet50d_modern']
GE = {'_minus': 'theta-', '': 'theta', '_plus': 'theta+'}
GPUS = 4


@functools.cache
def load(name):
    return Config.fromfile(config_path(f'imagenet/{name}.py'))


def learning_rates(cfg):
    """The learning rate of each epoch, from mmengine's own scheduler."""
    optimizer = torch.optim.SGD(
        [torch.nn.Parameter(torch.zeros(1))], cfg.optim_wrapper.optimizer.lr
    )
    scheduler = PARAM_SCHEDULERS.build(
        dict(cfg.param_scheduler), default_args=dict(optimizer=optimizer)
    )
    rates = []
    for _ in range(cfg.train_cfg.max_epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    return rates


def test_these_are_all_configs():
    files = glob.glob(
        osp.join(osp.dirname(config_path('imagenet/resnet50.py')), '*.py')
    )
    assert sorted(ALL_RESNETS + MOBILENETS + MODERN) == sorted(
        osp.basename(file)[:-3] for file in files
    )


@pytest.mark.parametrize('name', ALL_RESNETS + MOBILENETS)
def test_data_is_that_of_the_paper(name):
    cfg = load(name)
    train, val = cfg.train_dataloader, cfg.val_dataloader
    crop, mirror, _ = train.dataset.pipeline
    assert crop == dict(type='LoadRandomResizedCrop', size=224)
    assert mirror == dict(type='RandomMirror', prob=0.5)
    assert val.dataset.pipeline[0] == dict(
        type='LoadCenterCrop', size=224, shorter_side=256
    )
    assert train.dataset.type == val.dataset.type == 'ImageFolder'
    assert train.sampler.shuffle and not val.sampler.shuffle
    assert train.persistent_workers and cfg.val_evaluator.topk == (1, 5)
    assert cfg.model.num_classes == 1000


@pytest.mark.parametrize('name', ALL_RESNETS)
def test_resnets_are_trained_as_in_the_paper(name):
    cfg = load(name)
    assert cfg.optim_wrapper == dict(
        type='OptimWrapper',
        optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),
    )
    assert GPUS * cfg.train_dataloader.batch_size == 256
    assert cfg.auto_scale_lr.base_batch_size == 256
    rates = learning_rates(cfg)
    assert len(rates) == 100
    assert rates == pytest.approx([0.1 / 10 ** (i // 30) for i in range(100)])


@pytest.mark.parametrize('name', MOBILENETS)
def test_mobilenets_are_trained_as_in_the_paper(name):
    cfg = load(name)
    assert cfg.optim_wrapper.type == 'OptimWrapper'
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=0.045, momentum=0.9, weight_decay=4e-5
    )
    assert GPUS * cfg.train_dataloader.batch_size == 96
    assert cfg.auto_scale_lr.base_batch_size == 96
    rates = learning_rates(cfg)
    assert len(rates) == 400
    assert rates == pytest.approx([0.045 * 0.98**i for i in range(400)])


@pytest.mark.parametrize('name', RESNETS + MOBILENETS)
def test_backbone_is_that_of_the_name(name):
    backbone = load(name).model.backbone
    kind = {'se': 'SE', 'eca': 'ECA'}.get(name.split('_')[0], '')
    if name in RESNETS:
        depth = int(name.split('resnet')[1])
        assert backbone.type == f'{kind}ResNet' and backbone.depth == depth
        assert not backbone.zero_init_residual
        if kind == 'ECA':
            assert backbone.kernel_size == KERNEL_SIZES[depth]
    elif kind == 'SE':
        assert backbone.attention == dict(type='SqueezeExcitation', ratio=8)
    elif kind == 'ECA':
        assert backbone.kernel_size == (1, 1, 1, 1, 1, 3, 3)
    assert not backbone.norm_eval


@pytest.mark.parametrize('name', FIGURE_4)
def test_backbones_of_figure_4_have_one_kernel_size(name):
    _, size, depth = name.replace('_k', ' ').replace('_resnet', ' ').split()
    backbone = load(name).model.backbone
    assert backbone.type == 'ECAResNet' and backbone.depth == int(depth)
    assert backbone.kernel_size == int(size)
    assert not backbone.norm_eval and not backbone.zero_init_residual


@pytest.mark.parametrize('name', TABLE_2)
def test_members_of_table_2_are_those_of_the_paper(name):
    backbone = load(name).model.backbone
    assert backbone.type == 'AttentionResNet' and backbone.depth == 50
    assert backbone.attention == TABLE_2[name]
    assert not backbone.norm_eval and not backbone.zero_init_residual


@pytest.mark.parametrize('name', SYSTEMS)
def test_systems_of_the_paper_have_their_layers(name):
    kind, layer = SYSTEMS[name]
    cfg = load(name).model
    assert cfg.backbone.type == kind
    assert cfg.backbone.depth == int(name.split('resnet')[1])
    assert not cfg.backbone.norm_eval and not cfg.backbone.zero_init_residual
    with DefaultScope.overwrite_default_scope('mmdet'), torch.device('meta'):
        backbone = MODELS.build(cfg.backbone)
    assert layer in {type(module).__name__ for module in backbone.modules()}


def test_gather_excite_is_of_the_variant_in_the_name():
    variants = [load(f'ge_theta{end}_resnet50').model.backbone.variant for end in GE]
    assert variants == list(GE.values())


def test_gsop_keeps_the_resolution_of_the_third_stage():
    with DefaultScope.overwrite_default_scope('mmdet'), torch.device('meta'):
        backbone = MODELS.build(
            dict(load('gsop_resnet50').model.backbone, out_indices=(2, 3))
        )
        maps = backbone.eval()(torch.empty(1, 3, 224, 224))
    assert [tuple(x.shape[1:]) for x in maps] == [(1024, 14, 14), (2048, 14, 14)]


@pytest.mark.parametrize('name', ALL_RESNETS + MOBILENETS + MODERN)
def test_model_builds(name):
    size = 224 if name.startswith('ge_') else 64  # GE's kernels are as large as maps
    with DefaultScope.overwrite_default_scope('mmdet'), torch.device('meta'):
        model = MODELS.build(load(name).model)
        scores = model.eval()(torch.empty(2, 3, size, size))
    assert scores.shape == (2, 1000)
    assert all(p.requires_grad for p in model.parameters())
    assert isinstance(model.backbone, AttentionBackbone) == (
        name not in [f'resnet{depth}' for depth in DEPTHS] + ['mobilenetv2']
    )


@pytest.mark.parametrize('name', MODERN)
def test_modern_recipe_is_what_it_says(name):
    cfg = load(name)
    assert OPTIM_WRAPPERS.get(cfg.optim_wrapper.type).__name__ == 'AmpOptimWrapper'
    assert cfg.optim_wrapper.dtype == 'bfloat16'
    assert cfg.model.label_smoothing > 0
    hooks = [hook.type for hook in cfg.custom_hooks]
    assert {'ChannelsLastHook', 'EMAHook'} <= set(hooks)
    assert [s.type for s in cfg.param_scheduler][-1] == 'CosineAnnealingLR'
    sizes = [cfg.train_dataloader.dataset.pipeline[0].size] + [
        hook.switch_pipeline[0].size
        for hook in cfg.custom_hooks
        if hook.type == 'PipelineSwitchHook'
    ]
    assert sizes == sorted(set(sizes)) == [128, 160, 192]
    assert (
        GPUS * cfg.train_dataloader.batch_size
        == (cfg.auto_scale_lr.base_batch_size)
        == 1024
    )
