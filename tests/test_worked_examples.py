"""ECA in detectors that are not the paper's: one real training step each."""

import pytest
import torch
from mmengine.config import Config

from mmdet_eca import ECAResNet, config_path
from mmdet_eca.training.runner import build_runner


@pytest.mark.parametrize(
    ('name', 'size'),
    [
        ('cascade_rcnn_eca_r50_fpn_1x', 128),
        ('fcos_eca_r50_fpn_gn-head_1x', 128),
        ('atss_eca_r50_fpn_1x', 128),
        ('dino_eca_r50_4scale_12e', 256),  # positions for its 900 queries
    ],
)
def test_one_training_step(name, size, coco, tmp_path):
    cfg = Config.fromfile(config_path(f'{name}.py'))
    assert cfg.model.backbone.kernel_size == (3, 5, 5, 7)
    assert cfg.model.backbone.style == 'pytorch'  # the weights' style,
    assert cfg.model.data_preprocessor.bgr_to_rgb  # and their colours
    assert cfg.model.data_preprocessor.std == [58.395, 57.12, 57.375]
    assert 'eca_resnet50_k3557' in cfg.model.backbone.init_cfg.checkpoint
    cfg.merge_from_dict(
        {
            'launcher': 'none',
            'work_dir': str(tmp_path),
            'visualizer.name': name,
            'model.backbone.init_cfg': None,
            'model.backbone.zero_init_residual': False,
            'param_scheduler': [],
            'train_cfg.max_epochs': 1,
            'train_dataloader.batch_size': 2,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'train_dataloader.dataset.data_root': f'{coco}/',
            'train_dataloader.dataset.indices': 2,
            'default_hooks.checkpoint': None,
        }
    )
    cfg.train_dataloader.dataset.pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='Resize', scale=(size, size), keep_ratio=True),
        dict(type='PackDetInputs'),
    ]
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.test_cfg = cfg.test_dataloader = cfg.test_evaluator = None
    runner = build_runner(cfg, ('train',))
    assert isinstance(runner.model.backbone, ECAResNet)
    before = runner.model.backbone.layer4[2].eca.conv.weight.detach().clone()
    runner.train()
    assert runner.iter == 1
    loss = runner.message_hub.get_scalar('train/loss').current()
    assert torch.isfinite(torch.as_tensor(loss))
    after = runner.model.backbone.layer4[2].eca.conv.weight
    assert not torch.equal(before, after)
