"""The trainings that are killed, and the hook that writes down what they do."""

import os
import os.path as osp
import random
import resource

import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, METRICS, MODELS

from tests.training.resuming.small_configs import small_config
from tests.training.resuming.toy import NUMBERS, ToyModel, toy_config

KINDS = ('epochs', 'iterations', 'worker', 'detector')


@MODELS.register_module()
class SoakModel(ToyModel):
    """The toy's, whose predictions have nothing random."""

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode != 'predict':
            return super().forward(inputs, data_samples, mode)
        numbers = torch.stack(inputs)[:, :1].expand(-1, 4)
        return [dict(value=v.item()) for v in self.linear(numbers / 10).sum(1)]


@METRICS.register_module()
class SoakScore(BaseMetric):
    """The mean of the predictions."""

    def process(self, data_batch, data_samples):
        self.results += [sample['value'] for sample in data_samples]

    def compute_metrics(self, results):
        return dict(score=sum(results) / len(results))


@HOOKS.register_module()
class Witness(Hook):
    """Writes a line for each iteration and evaluation, at once, and fills the disk.

    Args:
        folder (str): Of one file a rank.
        full (float): The part of the checkpoints for which there is no room.
    """

    def __init__(self, folder, full=0.0):
        self.folder = folder
        self.full = full

    def _note(self, runner, *words):
        with open(f'{self.folder}/{runner.rank}', 'a') as file:
            file.write(' '.join(map(str, words)) + '\n')

    def before_train(self, runner):
        self._note(runner, 'begin', runner.iter)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    before_val_iter = before_train_iter

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._note(runner, 'loss', runner.iter, outputs['loss'].item().hex())

    def after_val_epoch(self, runner, metrics=None):
        for name, value in metrics.items():
            self._note(runner, name, runner.iter, float(value).hex())

    def before_save_checkpoint(self, runner, checkpoint):
        last = checkpoint['meta']['iter'] == runner.max_iters
        if not last and random.SystemRandom().random() < self.full:
            # What writes more fails with EFBIG.
            limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit))


def write_config(folder, kind, full=0.0, coco=None, **settings):
    """Writes the config of a training into a folder, and returns its path.

    Args:
        folder: The folder.
        kind: One of KINDS.
        full: See Witness.
        coco: A folder as COCO's, for a detector.
        settings: Further parts of the config.
    """
    if kind == 'detector':
        cfg = small_config('faster_rcnn_eca_r50_fpn_1x.py', coco, minutes=0)
    else:
        by_epoch = kind != 'iterations'
        loops = dict(max_epochs=3) if by_epoch else dict(max_iters=12, val_interval=4)
        cfg = toy_config(
            folder,
            model=dict(type='SoakModel'),
            randomness=dict(seed=3),
            loader=dict(batch_size=1, num_workers=int(kind == 'worker')),
            train_cfg=dict(by_epoch=by_epoch, **loops),
            checkpoint=dict(
                minutes=0,
                by_epoch=by_epoch,
                interval=1 if by_epoch else 5,
                max_keep_ckpts=1,
                save_best='score',
                rule='greater',
            ),
            val_cfg=dict(type='ValLoop'),
            val_evaluator=dict(type='SoakScore'),
            val_dataloader=dict(
                batch_size=2,
                num_workers=0,
                dataset=NUMBERS,
                sampler=dict(type='DefaultSampler', shuffle=False),
            ),
            custom_hooks=[dict(type='EMAHook', momentum=0.1)],
        )
        cfg.param_scheduler.update(
            T_max=12, by_epoch=False, convert_to_iter_based=False
        )
    witness = osp.join(folder, 'witness')
    os.makedirs(witness)
    hook = dict(type='Witness', folder=witness, full=full)
    cfg.custom_hooks = [*cfg.custom_hooks, hook]
    cfg.work_dir = osp.join(folder, 'work')
    cfg.merge_from_dict(settings)
    path = osp.join(folder, 'config.py')
    cfg.dump(path)
    return path
