"""A whole training with the folded backbone is the one with the direct one."""

import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from sklearn.datasets import load_digits
from torch import nn

from mmdet_eca import config_path

ITERATIONS = 20


def losses(folded, digits, device):
    """Of the digits RetinaNet with norms on stored statistics, on images of half
    the size, with its optimizer and warm-up.

    In float64: the training is chaotic, so that a last bit of float32 grows to a
    thousandth of the loss within 12 iterations (AdamW) or 23 (SGD).
    """
    cfg = Config.fromfile(config_path('digits/retinanet_eca_r50_digits.py'))
    cfg.model.backbone.update(norm_eval=True, folded=folded)
    cfg.train_dataloader.dataset.data_root = digits
    cfg.train_dataloader.dataset.pipeline[1].scale = (120, 80)
    batch_size = cfg.train_dataloader.batch_size
    warm_up = cfg.param_scheduler[0]
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
        model.init_weights()
        model = model.double().to(device).train()
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        _calibrate(model, dataset)
        optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        schedule = torch.optim.lr_scheduler.LinearLR(
            optim_wrapper.optimizer, warm_up.start_factor, 1, warm_up.end
        )
        values = []
        for iteration in range(ITERATIONS):
            data = _batch(
                dataset,
                [
                    (iteration * batch_size + i) % len(dataset)
                    for i in range(batch_size)
                ],
            )
            values.append(model.train_step(data, optim_wrapper)['loss'].item())
            schedule.step()
    return values


def _batch(dataset, indices):
    """On the CPU, as a data loader's."""
    with torch.device('cpu'):
        return pseudo_collate([dataset[index] for index in indices])


def _calibrate(model, dataset):
    """Sets the statistics of the norms to those of the data, as after a
    pretraining."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = 1
    data = _batch(dataset, range(4))
    with torch.no_grad():
        model.extract_feat(model.data_preprocessor(data)['inputs'])
    for norm in norms:
        norm.momentum = 0.1
    model.train()


def test_twenty_iterations_have_the_same_losses(digits, device):
    folded, direct = (losses(folded, digits, device) for folded in (True, False))
    assert direct[-1] < direct[0]
    assert folded != direct  # in the last bits, or nothing has been folded
    assert folded == pytest.approx(direct, rel=1e-6)


def pretraining_losses(folded, device):
    """Of the digits pretraining, from scratch, on scikit-learn's digits of 32 x 32."""
    cfg = Config.fromfile(config_path('digits/eca_resnet50_digits.py'))
    cfg.model.backbone.folded = folded
    digits = load_digits()
    images = torch.tensor(digits.images)[:, None].expand(-1, 3, -1, -1) / 8 - 1
    images = F.interpolate(images, size=32, mode='bilinear').to(device)
    labels = torch.tensor(digits.target).to(device)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
        model.init_weights()
        model = model.double().to(device).train()
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    values = []
    for chosen in torch.arange(16 * ITERATIONS).split(16):
        optimizer.zero_grad()
        scores = model.fc(model.backbone(images[chosen])[-1].mean((2, 3)))
        loss = F.cross_entropy(scores, labels[chosen])
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return values


def test_twenty_iterations_of_pretraining_have_the_same_losses(device):
    folded, direct = (pretraining_losses(folded, device) for folded in (True, False))
    assert direct[-1] < direct[0]
    assert folded != direct
    assert folded == pytest.approx(direct, rel=1e-6)
