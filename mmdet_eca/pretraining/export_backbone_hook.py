import hashlib
import os
import os.path as osp
from typing import Any, Dict

from mmdet.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, save_checkpoint, weights_to_cpu
from torch import nn

from ..errors import UserError
from ..models.attention import ECALayer


@HOOKS.register_module()
class ExportBackboneHook(Hook):
    """Writes the trained backbone for detectors: ``<name>-backbone-<hash>.pth``.

    The file is in the work directory, ``name`` that of the config (of the work
    directory, if the config was made in Python), and the hash the first eight
    digits of the file's SHA-256, as torch.hub and mmengine check them. A
    detector takes it as ``init_cfg=dict(type='Pretrained', checkpoint=...)``.
    With an EMAHook the averaged weights are written.
    """

    # After EMAHook has made its model.
    priority = 'LOWEST'

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Writes and removes such a file: what cannot be written at the end of
        the training fails before it.

        Raises:
            UserError: If the model has no backbone.
        """
        os.remove(self._write(runner))

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Writes the weights, the ECA kernel size of each layer, the classes and
        the config, all at once or not at all."""
        scratch = self._write(runner)
        with open(scratch, 'rb') as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        path = osp.join(runner.work_dir, f'{_name(runner)}-backbone-{digest[:8]}.pth')
        os.replace(scratch, path)
        runner.logger.info(
            "The backbone, for a detector's init_cfg=dict(type='Pretrained', "
            f"checkpoint='{path}')"
        )

    def _write(self, runner: Runner) -> str:
        """Writes the file under a name for the time being, and returns it."""
        path = osp.join(runner.work_dir, f'{_name(runner)}-backbone.tmp')
        save_checkpoint(_checkpoint(runner), path)
        return path


def _name(runner: Runner) -> str:
    source = runner.cfg.filename or osp.abspath(runner.work_dir)
    # torch.hub takes what is between the first '-' and '.' for the hash.
    return osp.splitext(osp.basename(source))[0].replace('.', '_')


def _checkpoint(runner: Runner) -> Dict[str, Any]:
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


def _kernel_sizes(backbone: nn.Module) -> Dict[str, int]:
    return {
        name: layer.kernel_size
        for name, layer in backbone.named_modules()
        if isinstance(layer, ECALayer)
    }
