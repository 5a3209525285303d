"""A training that takes milliseconds: one linear layer on numbers, drawn at random."""

import random
from contextlib import suppress

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS
from mmengine.structures import BaseDataElement
from torch import nn

from mmdet_eca.training.runner import build_runner
from tests.conftest import new_run
from tests.tools.in_process import end_workers
from tests.training.resuming.runs import Killed


@DATASETS.register_module()
class ToyNumbers(BaseDataset):
    """Samples 0 to size - 1, wide and high ones by turns."""

    METAINFO = dict(classes=('even', 'odd'))

    def __init__(self, size=7, **settings):
        self.size = size
        super().__init__(serialize_data=False, **settings)

    def load_data_list(self):
        return [
            dict(img_path=f'images/{i}.jpg', width=3 + i % 3, height=4)
            for i in range(self.size)
        ]

    def get_cat_ids(self, index):
        return [0 if index else 1]


@TRANSFORMS.register_module()
class ToyNoise:
    """Draws from each source of random numbers that transforms use."""

    def __call__(self, results):
        noise = [random.random(), np.random.random(), torch.rand(1).item()]
        mixed = sum(image['sample_idx'] for image in results.get('mix_results', ()))
        inputs = torch.tensor([results['sample_idx'] + mixed, *noise])
        return dict(results, inputs=inputs)

    def get_indexes(self, dataset):
        return [random.randint(0, len(dataset) - 1)]


@TRANSFORMS.register_module()
class ToyPack:
    def __call__(self, results):
        path = results['img_path']
        sample = BaseDataElement(metainfo=dict(img_path=path))
        return dict(inputs=results['inputs'], data_samples=sample)


@MODELS.register_module()
class ToyModel(BaseModel):
    """Its loss depends on its weights, on what it is given, and on dropout; what it
    predicts has nothing random."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        inputs = torch.stack(inputs) / 10
        if mode == 'predict':
            values = self.linear(inputs[:, :1].expand(-1, 4)).sum(1)
            return [dict(value=value.item()) for value in values]
        outputs = nn.functional.dropout(self.linear(inputs), 0.3)
        return dict(loss_cls=outputs.square().mean(), loss_bbox=outputs.abs().mean())


@METRICS.register_module()
class ToyMean(BaseMetric):
    """The mean of what :class:`ToyModel` predicts."""

    def process(self, data_batch, data_samples):
        self.results += [sample['value'] for sample in data_samples]

    def compute_metrics(self, results):
        return dict(mean=sum(results) / len(results))


@MODELS.register_module()
class ToySpoiled(ToyModel):
    """With one image its loss, or the gradient alone, is not finite."""

    def __init__(self, image, gradient=False):
        super().__init__()
        self.image = image
        self.gradient = gradient

    def forward(self, inputs, data_samples=None, mode='tensor'):
        losses = super().forward(inputs, data_samples, mode)
        if self.image in [sample.img_path for sample in data_samples]:
            # The root's derivative at 0 is infinite.
            zero = (self.linear.bias * 0).sum()
            bad = zero.abs().sqrt() if self.gradient else zero / 0
            losses['loss_bbox'] = losses['loss_bbox'] + bad
        return losses


@HOOKS.register_module()
class ToyWatch(Hook):
    """Keeps each iteration's loss, and stops the training before one of them."""

    losses = {}  # of all runs since it was emptied

    def __init__(self, stop=None):
        self.stop = stop

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.stop:
            raise Killed
        epoch = len(runner.train_dataloader)
        assert 0 <= batch_idx < epoch or batch_idx == runner.iter

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.losses[runner.iter] = outputs['loss'].item()


PIPELINE = [dict(type='ToyNoise'), dict(type='ToyPack')]
NUMBERS = dict(type='ToyNumbers', pipeline=PIPELINE)
EVALUATION = dict(
    val_cfg=dict(type='ValLoop'),
    val_evaluator=dict(type='ToyMean'),
    val_dataloader=dict(
        batch_size=2,
        num_workers=0,
        dataset=NUMBERS,
        sampler=dict(type='DefaultSampler', shuffle=False),
    ),
)


def toy_config(work_dir, **changes):
    """The config of a run of three epochs; ``changes`` replace parts of it."""
    checkpoint = {'interval': 1, **changes.pop('checkpoint', {})}
    loader = dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=NUMBERS,
    )
    loader.update(changes.pop('loader', {}))
    config = dict(
        model=dict(type='ToyModel'),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=3),
        optim_wrapper=dict(
            type='OptimWrapper', optimizer=dict(type='Adam', lr=0.1), clip_grad=None
        ),
        param_scheduler=dict(
            type='CosineAnnealingLR', T_max=3, convert_to_iter_based=True
        ),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', **checkpoint)),
        custom_hooks=[dict(type='ToyWatch', stop=changes.pop('stop', None))],
        default_scope='mmdet',
        launcher='none',
        check_config=False,
        log_level='WARNING',
    )
    return Config({**config, **changes})


def toy_losses(work_dir, **changes):
    """Trains, and returns the losses by iteration."""
    ToyWatch.losses = {}
    toy_train(work_dir, **changes)
    return ToyWatch.losses


def toy_train(work_dir, **changes):
    """Trains until the end or the stop."""
    with new_run(), suppress(Killed):
        build_runner(toy_config(work_dir, **changes), ('train', 'val')).train()
    if changes.get('loader', {}).get('num_workers'):
        end_workers()
