"""ResNet with channel attention at the end of every residual branch."""
from typing import Optional, Sequence, Union

import torch.utils.checkpoint as cp
from mmdet.models.backbones.resnet import BasicBlock, Bottleneck, ResNet
from mmdet.registry import MODELS
from torch import Tensor, nn

from ...errors import UserError
from .attention_weights import check_attention_weights

OptAttention = Optional[Union[dict, Sequence[Optional[dict]]]]


class _AttentionBlock:
    """What both residual blocks share: ``relu(identity + attention(branch))``.

    Args:
        attention (dict, optional): Config of the channel attention, which
            becomes the submodule named by its ``_abbr_``. None for none.
    """

    def __init__(self, *args, attention: Optional[dict] = None, **kwargs):
        super().__init__(*args, **kwargs)
        self.attention_name = None
        if attention is not None:
            channels = getattr(self, self.last_conv).out_channels
            layer = MODELS.build(dict(attention, in_channels=channels))
            if hasattr(self, layer._abbr_):
                raise UserError(
                    f'{attention["type"]} is given both as attention and as a '
                    f'plugin called {layer._abbr_!r}; keep one of them')
            self.attention_name = layer._abbr_
            self.add_module(layer._abbr_, layer)

    @property
    def attention(self) -> Optional[nn.Module]:
        """The channel attention layer, None if there is none."""
        return self.attention_name and getattr(self, self.attention_name)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C_in, H, W) to (N, C_out, H / stride, W / stride)."""
        if self.with_cp and x.requires_grad:
            return cp.checkpoint(
                self._forward_direct, x, use_reentrant=False)
        return self._forward_direct(x)

    def _forward_direct(self, x: Tensor) -> Tensor:
        """One layer after the other, nothing folded."""
        out = self._branch(x)
        if self.attention_name is not None:
            out = self.attention(out)
        out = self._after_attention(out)
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class AttentionBasicBlock(_AttentionBlock, BasicBlock):
    """mmdet's BasicBlock with channel attention after the second norm."""

    last_conv = 'conv2'

    def _branch(self, x: Tensor) -> Tensor:
        out = self.relu(self.norm1(self.conv1(x)))
        return self.norm2(self.conv2(out))

    def _after_attention(self, out: Tensor) -> Tensor:
        return out


class AttentionBottleneck(_AttentionBlock, Bottleneck):
    """mmdet's Bottleneck with channel attention after the third norm.

    Plugins keep their places; those ``after_conv3`` follow the attention.
    """

    last_conv = 'conv3'

    def _branch(self, x: Tensor) -> Tensor:
        out = self.relu(self.norm1(self.conv1(x)))
        if self.with_plugins:
            out = self.forward_plugin(out, self.after_conv1_plugin_names)
        out = self.relu(self.norm2(self.conv2(out)))
        if self.with_plugins:
            out = self.forward_plugin(out, self.after_conv2_plugin_names)
        return self.norm3(self.conv3(out))

    def _after_attention(self, out: Tensor) -> Tensor:
        if self.with_plugins:
            out = self.forward_plugin(out, self.after_conv3_plugin_names)
        return out


@MODELS.register_module()
class AttentionResNet(ResNet):
    """ResNet with a channel attention layer in every residual block.

    Args:
        depth (int): Depth of the network, one of 18, 34, 50, 101 and 152.
        attention (dict | Sequence[dict | None], optional): Config of the
            attention layer, or one config a stage. ``in_channels`` is filled
            in. None gives mmdet's plain ResNet.
        **kwargs: Every other argument of :class:`mmdet.models.ResNet`.

    Raises:
        UserError: If the depth is unknown, if there is not one attention a
            stage, or, while weights are loaded, if the attention in a
            checkpoint does not fit.
    """

    _blocks = {BasicBlock: AttentionBasicBlock, Bottleneck: AttentionBottleneck}

    def __init__(self,
                 depth: int,
                 attention: OptAttention = None,
                 **kwargs) -> None:
        if depth not in self.arch_settings:
            raise UserError(f'depth must be one of {list(self.arch_settings)}, '
                            f'got {depth!r}')
        num_stages = kwargs.get('num_stages', 4)
        if attention is None or isinstance(attention, dict):
            attention = [attention] * num_stages
        _check_one_per_stage('attention', attention, num_stages)
        self.stage_attention = attention
        super().__init__(depth, **kwargs)

    def make_res_layer(self, block: type, **kwargs) -> nn.Sequential:
        """Builds the next stage out of blocks that take ``attention``."""
        return super().make_res_layer(
            block=self._blocks[block],
            attention=self.stage_attention[len(self.res_layers)],
            **kwargs)

    def train(self, mode: bool = True) -> 'AttentionResNet':
        """Sets the mode, keeping frozen stages and, with ``norm_eval``, the
        norm layers in evaluation mode; returns self as torch does."""
        super().train(mode)
        return self

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args,
                              **kwargs) -> None:
        check_attention_weights(self, state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


@MODELS.register_module()
class ECAResNet(AttentionResNet):
    """ResNet with Efficient Channel Attention, ECA-Net (CVPR 2020).

    The layers are named as in torchvision, plus ``layerL.B.eca.conv.weight``,
    so the authors' ImageNet weights load without conversion.

    Args:
        depth (int): Depth of the network, one of 18, 34, 50, 101 and 152.
        kernel_size (int | Sequence[int | None], optional): Kernel size of the
            attention, or one a stage. None takes the adaptive size of
            :func:`eca_kernel_size`: (5, 5, 5, 7) from depth 50 on. The
            authors' ImageNet weights have (3, 5, 5, 7) at depth 50 and
            (3, 3, 5, 7) at 101 and 152.
        **kwargs: Every other argument of :class:`mmdet.models.ResNet`.

    Raises:
        UserError: If the depth is unknown, a kernel size is not a positive odd
            integer or None, there is not one a stage, or, while weights are
            loaded, if the kernel sizes in a checkpoint differ.

    Example:
        >>> backbone = ECAResNet(50, kernel_size=(3, 5, 5, 7))
        >>> [tuple(out.shape) for out in backbone(torch.rand(1, 3, 64, 64))]
        [(1, 256, 16, 16), (1, 512, 8, 8), (1, 1024, 4, 4), (1, 2048, 2, 2)]
    """

    def __init__(self,
                 depth: int,
                 kernel_size: Union[int, Sequence[Optional[int]], None] = None,
                 **kwargs) -> None:
        num_stages = kwargs.get('num_stages', 4)
        if not isinstance(kernel_size, Sequence):
            kernel_size = [kernel_size] * num_stages
        _check_one_per_stage('kernel_size', kernel_size, num_stages)
        super().__init__(
            depth,
            attention=[
                dict(type='mmdet.ECALayer', kernel_size=k) for k in kernel_size
            ],
            **kwargs)


def _check_one_per_stage(name: str, values: Sequence, num_stages: int) -> None:
    if len(values) != num_stages:
        raise UserError(
            f'{name} must be one for all or one a stage, {num_stages} in all '
            f'(num_stages={num_stages}), got {len(values)}: {values!r}')
