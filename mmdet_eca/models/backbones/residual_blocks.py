"""mmdet's residual blocks with channel attention at the end of the branch."""

from mmdet.models.backbones.resnet import BasicBlock, Bottleneck
from mmdet.models.backbones.resnext import Bottleneck as ResNeXtBottleneck
from torch import Tensor, nn

from .attention_backbone import AttentionBlock


class ResidualBlock(AttentionBlock):
    """``relu(shortcut(x) + attention(branch(x)))``, what the blocks share."""

    last_conv: str  # the name of the branch's last convolution

    @property
    def last_norm(self) -> str:
        """The name of the norm before the attention."""
        name: str = getattr(self, f'norm{self.last_conv[-1]}_name')
        return name

    @property
    def out_channels(self) -> int:
        """Channels C of its output, which the attention sees."""
        channels: int = getattr(self, self.last_conv).out_channels
        return channels

    def conv_norm(self, conv: nn.Module, norm: nn.Module, x: Tensor) -> Tensor:
        """A convolution and its norm."""
        return norm(conv(x))

    def shortcut(self, x: Tensor) -> Tensor:
        """The input of the block, in the shape of its output."""
        return x if self.downsample is None else self.downsample(x)

    @property
    def plugins_after_attention(self) -> list[str]:
        """Names of mmdet's plugins that follow the attention."""
        return []

    def why_not_fused(self) -> str | None:
        """Returns why attention, shortcut and ReLU are not one operation.

        None if they are, where the form of the device has that.
        """
        return 'folded=False'

    def extra_repr(self) -> str:
        """Says in ``print(backbone)`` how the end of the block runs."""
        return f'end of the block: layer by layer, since {self.why_not_fused()}'

    def run_end(self, out: Tensor, x: Tensor) -> Tensor:
        """Runs the block from its last convolution on.

        Args:
            out (Tensor): The last convolution's input, shape (N, K, H, W).
            x (Tensor): The block's input.

        Returns:
            Tensor: Shape (N, C, H', W').
        """
        out = self.conv_norm(
            getattr(self, self.last_conv), getattr(self, self.last_norm), out
        )
        if self.attention is not None:
            out = self.attention(out)
        if self.plugins_after_attention:
            out = self.forward_plugin(out, self.plugins_after_attention)
        out += self.shortcut(x)
        return self.relu(out)


class AttentionBasicBlock(ResidualBlock, BasicBlock):
    """mmdet's BasicBlock with channel attention after the second norm."""

    last_conv = 'conv2'

    def run(self, x: Tensor) -> Tensor:
        """The block itself, shapes as of :meth:`forward`."""
        out = self.relu(self.conv_norm(self.conv1, self.norm1, x))
        return self.run_end(out, x)


class AttentionBottleneck(ResidualBlock, Bottleneck):
    """mmdet's Bottleneck with channel attention after the third norm.

    Plugins keep their places; those ``after_conv3`` follow the attention.
    """

    last_conv = 'conv3'

    def run(self, x: Tensor) -> Tensor:
        """The block itself, shapes as of :meth:`forward`."""
        out = self.relu(self.conv_norm(self.conv1, self.norm1, x))
        if self.with_plugins:
            out = self.forward_plugin(out, self.after_conv1_plugin_names)
        out = self.relu(self.conv_norm(self.conv2, self.norm2, out))
        if self.with_plugins:
            out = self.forward_plugin(out, self.after_conv2_plugin_names)
        return self.run_end(out, x)

    @property
    def plugins_after_attention(self) -> list[str]:
        """Names of the plugins that are placed after the third convolution."""
        names: list[str] = self.after_conv3_plugin_names if self.with_plugins else []
        return names


class AttentionResNeXtBottleneck(AttentionBottleneck, ResNeXtBottleneck):
    """mmdet's ResNeXt bottleneck with channel attention after the third norm."""
