"""Writes down what a training does, for whoever kills it; and fills the disk."""

import os
import os.path as osp
import resource
import time
from contextlib import contextmanager, suppress

import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, METRICS, MODELS

from tests.engine.resuming.toy import ToyModel

START = 'CHAOS_START'  # the number of this start of the trial
FULL = 'CHAOS_FULL'  # first checkpoint, number of them, bytes that there is room for

EVALUATES = 'evaluates'  # a file that is there while a training is evaluated


@HOOKS.register_module()
class Witness(Hook):
    """Writes a line for each event, at once, into a file of each start and rank.

    Args:
        folder (str): Of these files.
    """

    def __init__(self, folder):
        self.folder = folder
        self.saves = 0

    def before_run(self, runner):
        start = os.environ[START]
        restart = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')
        os.makedirs(self.folder, exist_ok=True)
        with suppress(FileNotFoundError):  # of a start that was killed
            os.remove(osp.join(self.folder, EVALUATES))
        path = osp.join(self.folder, f'{int(start):03}.{restart}.{runner.rank}')
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.runner, self.save = runner, runner.save_checkpoint
        runner.save_checkpoint = self._save

    def note(self, *words):
        os.write(self.file, (' '.join(map(str, words)) + '\n').encode())

    def before_train(self, runner):
        self.note('begins', runner.iter, time.time())

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.note('loss', runner.iter, outputs['loss'].item().hex())

    def before_val_epoch(self, runner):
        open(osp.join(self.folder, EVALUATES), 'w').close()

    def after_val_epoch(self, runner, metrics=None):
        with suppress(FileNotFoundError):  # the other rank is faster
            os.remove(osp.join(self.folder, EVALUATES))
        for value in metrics.values():
            self.note('value', runner.epoch, float(value).hex())

    def after_run(self, runner):
        self.note('through', runner.iter)

    def _save(self, out_dir, filename, *args, **kwargs):
        try:
            with self._disk():
                self.save(out_dir, filename, *args, **kwargs)
        except OSError:
            self.note('full', filename)
            raise
        if self.runner.rank == 0:
            # mmengine gives none for the best checkpoint.
            iteration = kwargs.get('meta', {}).get('iter', self.runner.iter)
            self.note('saved', iteration, filename)

    @contextmanager
    def _disk(self):
        """Lets no file grow beyond some bytes, while the disk is full."""
        first, number, room = map(int, os.environ.get(FULL, '0,0,0').split(','))
        full = first <= self.saves < first + number
        self.saves += 1
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        if full:  # Python ignores the signal, and write fails with EFBIG
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


@MODELS.register_module()
class ChaosModel(ToyModel):
    """The toy's, with predictions that nothing random goes into."""

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if mode != 'predict':
            return super().forward(inputs, data_samples, mode)
        numbers = torch.stack(inputs)[:, :1].expand(-1, 4)
        outputs = self.linear(numbers / 10).sum(1)
        return [dict(value=value.item()) for value in outputs]


@METRICS.register_module()
class ChaosScore(BaseMetric):
    """The mean of the predictions."""

    def process(self, data_batch, data_samples):
        self.results += [sample['value'] for sample in data_samples]

    def compute_metrics(self, results):
        return dict(score=sum(results) / len(results))
