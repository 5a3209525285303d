"""Half precision in the networks of a detector alone, without a scaled loss."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.detectors import BaseDetector
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn


@HOOKS.register_module()
class MixedPrecisionHook(Hook):
    """Lets the networks of a detector run in half precision.

    That is bfloat16 on a CPU, for training too: its exponents are those of float32,
    so the loss needs no scale. See :func:`use_mixed_precision`.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Changes the model; logs if the CPU has no bfloat16."""
        model = runner.model
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        use_mixed_precision(model)
        if next(model.parameters()).device.type == 'cpu' and not has_bfloat16():
            runner.logger.warning('This CPU has no bfloat16: amp may be slower here.')


def use_mixed_precision(model: BaseDetector) -> None:
    """Lets a detector's convolutions and products run in half precision.

    That is float16 on a GPU and bfloat16 on a CPU. Autocast is on in the forward
    passes of backbone, neck and heads only, and what leaves them is float32 again:
    mmcv's RoIAlign and NMS take no bfloat16, and boxes in images of a thousand
    pixels need more than its 8 bits. A part that has mmcv's own operators inside,
    such as deformable convolutions, stays in float32.

    In training the gradients of float32 weights are float32. float16 would need a
    scaled loss; on a GPU trainings have mmengine's ``AmpOptimWrapper`` instead.

    Args:
        model (BaseDetector): Changed in place.
    """
    device = next(model.parameters()).device.type
    dtype = torch.bfloat16 if device == 'cpu' else torch.float16
    for module in _networks(model):
        if not any(
            type(part).__module__.startswith('mmcv.ops') for part in module.modules()
        ):
            module.forward = _autocast(module.forward, device, dtype)


def has_bfloat16() -> bool:
    """Whether torch's convolutions on this CPU compute in bfloat16."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _networks(model: BaseDetector) -> Iterator[nn.Module]:
    for name in ('backbone', 'neck'):
        if getattr(model, name, None) is not None:
            yield getattr(model, name)
    for module in model.modules():
        if isinstance(module, (BaseDenseHead, BBoxHead, FCNMaskHead)):
            yield module


def _autocast(forward: Callable, device: str, dtype: torch.dtype) -> Callable:
    @wraps(forward)
    def mixed(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(device, dtype):
            outputs = forward(*args, **kwargs)
        return _to_float32(outputs)

    return mixed


def _to_float32(outputs: Any) -> Any:
    if isinstance(outputs, Tensor):
        return outputs.float() if outputs.is_floating_point() else outputs
    if isinstance(outputs, (list, tuple)):
        return type(outputs)(map(_to_float32, outputs))
    return outputs
