"""A whole training with the folded backbone is the one with the direct one."""
import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from mmdet_eca import config_path


def losses(folded, digits):
    """Of thirty iterations of the digits RetinaNet, on smaller images, with norms
    on stored statistics and the paper's SGD and warm-up.

    In float64, and no more than thirty: the training is chaotic. A last bit
    grows by half in every step, by more with AdamW, until nothing agrees.
    """
    cfg = Config.fromfile(config_path('digits/retinanet_eca_r50_digits.py'))
    cfg.model.backbone.update(norm_eval=True, folded=folded)
    cfg.train_dataloader.dataset.data_root = digits
    cfg.train_dataloader.dataset.pipeline[1].scale = (120, 80)
    cfg.optim_wrapper = dict(
        optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=1e-4),
        clip_grad=cfg.optim_wrapper.clip_grad)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
        model.init_weights()
        model = model.double().train()
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        _calibrate(model, dataset)
        optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        values = []
        for iteration in range(30):
            for group in optim_wrapper.optimizer.param_groups:
                group['lr'] = 0.01 * (0.001 + 0.999 * iteration / 500)
            data = pseudo_collate([
                dataset[index % len(dataset)]
                for index in (2 * iteration, 2 * iteration + 1)
            ])
            values.append(model.train_step(data, optim_wrapper)['loss'].item())
    return values


def _calibrate(model, dataset):
    """Sets the statistics of the norms to those of the data, as after a
    pretraining."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = 1
    data = pseudo_collate([dataset[index] for index in range(4)])
    with torch.no_grad():
        model.extract_feat(model.data_preprocessor(data)['inputs'])
    for norm in norms:
        norm.momentum = 0.1
    model.train()


def test_thirty_iterations_have_the_same_losses(digits):
    folded, direct = (losses(folded, digits) for folded in (True, False))
    assert direct[-1] < direct[0]
    assert folded == pytest.approx(direct, rel=1e-6)
