"""The paper's set-up, read off the resolved configs."""

import mmdet
import pytest
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from mmdet_eca import ECAResNet, config_path
from mmdet_eca.paper import paper_rows

KERNEL_SIZES = {50: (3, 5, 5, 7), 101: (3, 3, 5, 7)}
DETECTORS = dict(faster_rcnn='FasterRCNN', mask_rcnn='MaskRCNN', retinanet='RetinaNet')


def load(detector, depth):
    return Config.fromfile(config_path(f'{detector}_eca_r{depth}_fpn_1x.py'))


@pytest.mark.parametrize('depth', KERNEL_SIZES)
@pytest.mark.parametrize('detector', DETECTORS)
def test_training_is_that_of_the_paper(detector, depth):
    cfg = load(detector, depth)
    assert cfg.custom_imports == dict(imports=['mmdet_eca'])
    assert cfg.train_cfg.max_epochs == 12
    steps = [s for s in cfg.param_scheduler if s.type == 'MultiStepLR']
    assert [s.milestones for s in steps] == [[8, 11]] and steps[0].gamma == 0.1
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001
    )
    assert cfg.train_dataloader.batch_size == 2
    assert cfg.auto_scale_lr == dict(enable=False, base_batch_size=8)
    for loader, split in (
        ('train', 'train2017'),
        ('val', 'val2017'),
        ('test', 'val2017'),
    ):
        dataset = cfg[f'{loader}_dataloader'].dataset
        assert dataset.data_root == 'data/coco/'
        assert dataset.ann_file == f'annotations/instances_{split}.json'
        assert dataset.data_prefix.img == f'{split}/'
        resize = [t for t in dataset.pipeline if t.type == 'Resize']
        assert [t.scale for t in resize] == [(1333, 800)]
    metrics = ['bbox', 'segm'] if detector == 'mask_rcnn' else 'bbox'
    assert cfg.val_evaluator.metric == metrics


@pytest.mark.parametrize('depth', KERNEL_SIZES)
@pytest.mark.parametrize('detector', DETECTORS)
def test_detector_is_mmdets_with_an_eca_backbone(detector, depth):
    cfg = load(detector, depth)
    folder = detector.replace('_', '-')
    theirs = Config.fromfile(
        f'{mmdet.__path__[0]}/.mim/configs/_base_/models/{folder}_r50_fpn.py'
    )
    for key, value in theirs.model.items():
        if key != 'backbone':
            assert cfg.model[key] == value, key
    assert cfg.model.backbone == dict(
        theirs.model.backbone,
        type='ECAResNet',
        depth=depth,
        kernel_size=KERNEL_SIZES[depth],
        init_cfg=cfg.model.backbone.init_cfg,
    )
    k = ''.join(map(str, KERNEL_SIZES[depth]))
    assert cfg.model.backbone.init_cfg == dict(
        type='Pretrained', checkpoint=f'pretrained/eca_resnet{depth}_k{k}.pth.tar'
    )


def test_the_d_variant_is_the_same_detector_on_timms_weights():
    cfg = Config.fromfile(config_path('mask_rcnn_eca_r50d_fpn_1x.py'))
    paper = load('mask_rcnn', 50)
    assert cfg.model.backbone == dict(
        paper.model.backbone,
        type='ECAResNetV1d',
        kernel_size=None,
        init_cfg=dict(type='Pretrained', checkpoint='timm://ecaresnet50d.miil_in1k'),
    )
    cfg.backbone = paper.backbone
    cfg.model.backbone = paper.model.backbone
    assert cfg.to_dict() == paper.to_dict()


MMPRETRAIN = (
    'mmpretrain://https://download.openmmlab.com/mmclassification/v0/se-resnet/'
)
# GCNet's runs, from which the figures of the rows NL and GC are.
SYNC_BN = dict(norm_cfg=dict(type='SyncBN', requires_grad=True), norm_eval=False)
# What mmdet's configs name 'torchvision://resnet50' and 'torchvision://resnet101'.
TORCHVISION = {
    depth: f'https://download.pytorch.org/models/resnet{depth}-{digits}.pth'
    for depth, digits in ((50, '0676ba61'), (101, '63fe2227'))
}
# What the backbone of a row has that the plain one has not.
BLOCKS = {
    ('se', 50): dict(
        type='SEResNet',
        bias=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint=MMPRETRAIN
            + 'se-resnet50_batch256_imagenet_20200804-ae206104.pth',
        ),
    ),
    ('se', 101): dict(
        type='SEResNet',
        bias=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint=MMPRETRAIN
            + 'se-resnet101_batch256_imagenet_20200804-ba5b51d4.pth',
        ),
    ),
    ('eca', 50): dict(
        type='ECAResNet',
        kernel_size=(3, 5, 5, 7),
        init_cfg=dict(
            type='Pretrained', checkpoint='pretrained/eca_resnet50_k3557.pth.tar'
        ),
    ),
    ('eca', 101): dict(
        type='ECAResNet',
        kernel_size=(3, 3, 5, 7),
        init_cfg=dict(
            type='Pretrained', checkpoint='pretrained/eca_resnet101_k3357.pth.tar'
        ),
    ),
    ('nl', 50): dict(type='NonLocalResNet', **SYNC_BN),
    ('gc', 50): dict(
        plugins=[
            dict(
                cfg=dict(type='ContextBlock', ratio=1 / 16),
                stages=(False, True, True, True),
                position='after_conv3',
            )
        ],
        **SYNC_BN,
    ),
}


@pytest.mark.parametrize(
    'row', [row for row in paper_rows([5]) if row.attention], ids=lambda r: r.name
)
def test_rows_differ_in_their_block_and_its_weights(row):
    """And NL and GC in their norms, which learn and use the batch."""
    plain, ours = (
        Config.fromfile(config_path(f'{name}.py')).to_dict()
        for name in (row.name.replace(f'_{row.attention}', ''), row.name)
    )
    for cfg in (plain, ours):
        cfg.pop('backbone')  # of the pieces; the model has it
    expected = plain['model'].pop('backbone')
    assert expected['type'] == 'ResNet'
    assert expected['init_cfg'] == dict(
        type='Pretrained', checkpoint=TORCHVISION[row.depth]
    )
    expected.update(BLOCKS[row.attention, row.depth])
    assert ours['model'].pop('backbone') == expected
    assert ours == plain


@pytest.mark.parametrize('block', ['nl', 'gc'])
def test_rows_with_sync_bn_train_in_one_process_without_a_gpu(block):
    """Norms past the frozen stage learn, and follow the batch's statistics."""
    cfg = Config.fromfile(config_path(f'mask_rcnn_{block}_r50_fpn_1x.py'))
    cfg.model.backbone.init_cfg = None
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model).train()
        data = model.data_preprocessor(
            demo_mm_inputs(2, (3, 64, 64), num_items=[1, 1], with_mask=True), True
        )
        loss, _ = model.parse_losses(model(**data, mode='loss'))
    loss.backward()
    norms = {
        name: module
        for name, module in model.backbone.named_modules()
        if isinstance(module, nn.SyncBatchNorm)
    }
    assert len(norms) == 53
    for name, norm in norms.items():
        frozen = name.startswith(('bn1', 'layer1'))
        assert (norm.weight.grad is None) == frozen, name
        assert norm.num_batches_tracked == (not frozen), name
        assert norm.running_mean.any() == (not frozen), name


def types(cfg, path=''):
    """The ``type`` of each part of a model, by where it is."""
    found = {path: cfg['type']} if 'type' in cfg else {}
    for key, value in cfg.items():
        if isinstance(value, dict):
            found.update(types(value, f'{path}.{key}'.lstrip('.')))
    return found


@pytest.mark.parametrize('detector', DETECTORS)
def test_digits_detector_is_the_real_one_made_small(detector):
    real = load(detector, 50)
    small = Config.fromfile(config_path(f'digits/{detector}_eca_r50_digits.py'))
    # The same parts in the same places, but for norm instead of pretraining.
    expected = {**types(real.model), 'neck.norm_cfg': 'BN'}
    assert expected.pop('backbone.init_cfg') == 'Pretrained'
    assert expected.pop('backbone.norm_cfg') == 'BN'  # as it is by default
    if detector == 'retinanet':
        expected['bbox_head.norm_cfg'] = 'BN'
        expected['bbox_head'] = 'RetinaSepBNHead'  # the same with norms of each level
    assert types(small.model) == expected
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(small.model)
    assert type(model).__name__ == DETECTORS[detector] == real.model.type
    assert isinstance(model.backbone, ECAResNet)
    assert [
        b[0].eca.kernel_size for b in (model.backbone.layer1, model.backbone.layer4)
    ] == [3, 7]
    assert sum(p.numel() for p in model.parameters()) < 8e6
