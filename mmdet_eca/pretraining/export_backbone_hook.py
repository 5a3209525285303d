import os
import os.path as osp
from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, save_checkpoint, weights_to_cpu
from torch import nn

from ..errors import UserError
from ..models.attention import ECALayer
from ..weights.files import sha256


@HOOKS.register_module()
class ExportBackboneHook(Hook):
    """Writes the trained backbone for detectors: ``<name>-backbone-<hash>.pth``.

    The file is in the work directory. Its name begins with that of the config, or
    of the work directory if the config was made in Python; the hash is the first
    eight digits of its SHA-256, which torch.hub and mmengine check. A detector
    takes it as ``init_cfg=dict(type='Pretrained', checkpoint=...)``. With an
    EMAHook the averaged weights are written. mmengine's CheckpointHook publishes
    whole models only (``published_keys``).
    """

    # After EMAHook, which makes its model before the training too.
    priority = 'LOWEST'

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Writes the file and removes it.

        What would fail at the end of the training fails at its beginning.

        Raises:
            UserError: If the model has no backbone.
        """
        os.remove(self._write(runner))

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Writes the weights, the kernel size of each ECA layer, classes and config.

        The file appears whole or not at all.
        """
        unfinished = self._write(runner)
        name = f'{_name(runner)}-backbone-{sha256(unfinished)[:8]}.pth'
        path = osp.join(runner.work_dir, name)
        os.replace(unfinished, path)
        runner.logger.info(
            "The backbone, for a detector's init_cfg=dict(type='Pretrained', "
            f"checkpoint='{path}')"
        )

    def _write(self, runner: Runner) -> str:
        """Writes the file and returns its path, whose name has no hash yet."""
        path = osp.join(runner.work_dir, f'{_name(runner)}-backbone.tmp')
        save_checkpoint(_checkpoint(runner), path)
        return path


def _name(runner: Runner) -> str:
    source = runner.cfg.filename or osp.abspath(runner.work_dir)
    # torch.hub looks for the hash before the first '.' after a '-'.
    return osp.splitext(osp.basename(source))[0].replace('.', '_')


def _checkpoint(runner: Runner) -> dict[str, Any]:
    model = runner.model
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            model = hook.ema_model
    if is_model_wrapper(model) or hasattr(model, 'module'):
        model = model.module
    if not hasattr(model, 'backbone'):
        raise UserError(
            f'ExportBackboneHook: {type(model).__name__} has no '
            'backbone to export; remove the hook'
        )
    dataset = runner.train_dataloader.dataset
    meta = dict(
        name=_name(runner),
        epochs=runner.epoch,
        kernel_sizes=_kernel_sizes(model.backbone),
        classes=getattr(dataset, 'metainfo', {}).get('classes'),
        config=runner.cfg.pretty_text,
    )
    weights = weights_to_cpu(model.backbone.state_dict())
    return dict(state_dict=weights, meta=meta)


def _kernel_sizes(backbone: nn.Module) -> dict[str, int]:
    return {
        name: layer.kernel_size
        for name, layer in backbone.named_modules()
        if isinstance(layer, ECALayer)
    }
