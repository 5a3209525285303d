from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Rescales every channel by a gate computed from the channels' means.

    ``y = x * gate(GAP(x))``, Equation (1) of ECA-Net (CVPR 2020). A member of
    the family defines :meth:`gate` and nothing else. ``_abbr_`` is the name of
    the layer in a block, and so in the state dict.
    """

    def gate(self, pooled: Tensor) -> Tensor:
        """Maps the pooled features to the weights of the channels.

        Args:
            pooled (Tensor): Channel means, shape (N, C).

        Returns:
            Tensor: Weights in [0, 1], shape (N, C).
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Rescales feature maps of shape (N, C, H, W)."""
        return x * self.gate(x.mean(dim=(2, 3)))[:, :, None, None]
