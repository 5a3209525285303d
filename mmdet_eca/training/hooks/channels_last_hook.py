from typing import Any

import torch
from mmcv.ops import RoIAlign
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from ...ops import ChannelsLastRoIAlign


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Stores the feature maps in torch's channels-last memory format.

    The hook converts the weights of torch's convolutions; the feature maps take
    their format. Shapes stay (N, C, H, W) and results stay the same. The usual
    ``model.to(memory_format=torch.channels_last)`` would give wrong results:
    mmcv's compiled operators (RoIAlign, deformable convolutions) do not look at
    the format of their inputs and weights, so they are given contiguous ones. On
    the CPU RoIAlign takes the maps as they are, in a form of our own. Dense heads
    give contiguous maps, which some detectors take apart by ``view``. Convolutions
    with a forward pass of their own, such as weight-standardised ones, may depend
    on the format of their weights and keep it.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Converts the model.

        A distributed model is wrapped again afterwards, since
        DistributedDataParallel lays out its buffers like the weights it is given.
        """
        if is_model_wrapper(runner.model):
            runner.model = runner.wrap_model(
                runner.cfg.get('model_wrapper_cfg'),
                to_channels_last(runner.model.module),
            )
        else:
            to_channels_last(runner.model)


def to_channels_last(model: nn.Module) -> nn.Module:
    """Converts a detector in place and returns it; see :class:`ChannelsLastHook`."""
    modules: list[Any] = list(model.modules())  # types of `to` lack memory_format
    for module in modules:
        if _is_plain_convolution(module):
            module.to(memory_format=torch.channels_last)
    for module in modules:
        if type(module) is RoIAlign:  # it has no weights
            module.__class__ = ChannelsLastRoIAlign
        elif type(module).__module__.startswith('mmcv.ops.'):
            module.to(memory_format=torch.contiguous_format)
            module.register_forward_pre_hook(_contiguous_inputs, with_kwargs=True)
        elif isinstance(module, BaseDenseHead):
            module.register_forward_hook(_contiguous_outputs)
    return model


def _is_plain_convolution(module: nn.Module) -> bool:
    # mmcv's wrappers differ from torch's convolutions for empty inputs only.
    return isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and type(
        module
    ).__module__.startswith(('torch.nn.', 'mmcv.cnn.bricks.wrappers'))


def _contiguous_inputs(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple, dict]:
    return (
        tuple(_contiguous(value) for value in args),
        {name: _contiguous(value) for name, value in kwargs.items()},
    )


def _contiguous_outputs(module: nn.Module, args: tuple, output: Any) -> Any:
    return _contiguous(output)


def _contiguous(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(map(_contiguous, value))
    return value.contiguous() if isinstance(value, Tensor) else value
