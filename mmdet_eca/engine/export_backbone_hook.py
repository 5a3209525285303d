import hashlib
import os
import os.path as osp
from typing import Dict

from mmdet.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner, save_checkpoint, weights_to_cpu
from torch import Tensor, nn

from ..models.attention import ECALayer


@HOOKS.register_module()
class ExportBackboneHook(Hook):
    """Writes the trained backbone for detectors: ``<name>-backbone-<hash>.pth``.

    The file is in the work directory, ``name`` that of the config, and the hash
    the first eight digits of the weights' SHA-256. A detector takes it as
    ``init_cfg=dict(type='Pretrained', checkpoint=...)``. With an EMAHook the
    averaged weights are written.
    """

    priority = 'LOWEST'

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Writes the weights, the ECA kernel size of each layer, the classes and
        the config, all at once or not at all."""
        model = runner.model
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                model = hook.ema_model
        if is_model_wrapper(model) or hasattr(model, 'module'):
            model = model.module
        weights = weights_to_cpu(model.backbone.state_dict())
        name = osp.splitext(osp.basename(runner.cfg.filename))[0]
        path = osp.join(runner.work_dir,
                        f'{name}-backbone-{_digest(weights)[:8]}.pth')
        meta = dict(
            name=name,
            epochs=runner.epoch,
            kernel_sizes=_kernel_sizes(model.backbone),
            classes=runner.train_dataloader.dataset.metainfo['classes'],
            config=runner.cfg.pretty_text)
        save_checkpoint(dict(state_dict=weights, meta=meta), f'{path}.tmp')
        os.replace(f'{path}.tmp', path)
        runner.logger.info(
            "The backbone, for a detector's init_cfg=dict(type='Pretrained', "
            f"checkpoint='{path}')")


def _kernel_sizes(backbone: nn.Module) -> Dict[str, int]:
    return {
        name: layer.kernel_size
        for name, layer in backbone.named_modules()
        if isinstance(layer, ECALayer)
    }


def _digest(weights: Dict[str, Tensor]) -> str:
    """SHA-256 of names and values, in hexadecimal digits."""
    digest = hashlib.sha256()
    for name, value in weights.items():
        digest.update(name.encode())
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()
