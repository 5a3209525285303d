"""What the tests of pretraining look at inside of the processes."""

import os
import os.path as osp
import signal

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module()
class KillHook(Hook):
    """Kills the process before an iteration, as a power cut would.

    With ``truncate`` the checkpoint of that iteration's epoch is half written.
    """

    def __init__(self, iteration, truncate=False):
        self.iteration = iteration
        self.truncate = truncate

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            if self.truncate:
                path = osp.join(runner.work_dir, f'epoch_{runner.epoch + 1}.pth')
                with open(path, 'wb') as file:
                    file.write(b'PK half a checkpoint')
            os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module()
class WriteGradients(Hook):
    """Writes the gradients of the first step, of all processes together."""

    def before_train(self, runner):
        self.runner = runner
        runner.optim_wrapper.optimizer.register_step_pre_hook(self.write)

    def write(self, *args):
        path = osp.join(self.runner.work_dir, 'gradients.pth')
        if is_main_process() and not osp.exists(path):
            model = getattr(self.runner.model, 'module', self.runner.model)
            torch.save(
                {
                    name: parameter.grad.clone()
                    for name, parameter in model.named_parameters()
                },
                path,
            )


@HOOKS.register_module()
class LogInputSizes(Hook):
    """Logs the side of the images of each epoch's first batch."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx == 0:
            shape = tuple(data_batch['inputs'].shape)
            runner.logger.info(f'epoch {runner.epoch} has batches {shape}')
