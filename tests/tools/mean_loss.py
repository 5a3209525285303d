import json
import os.path as osp

from mmengine.dist import all_reduce, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class WriteMeanLoss(Hook):
    """Writes the loss of each iteration, its mean over the processes."""

    def before_train(self, runner):
        self.losses = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        loss = outputs['loss'].detach().clone()
        all_reduce(loss, 'mean')
        self.losses.append(loss.item())
        if is_main_process():
            with open(osp.join(runner.work_dir, 'mean_loss.json'), 'w') as file:
                json.dump(self.losses, file)
