"""RoIAlign on the CPU, for feature maps whose channels are last in memory."""

from typing import Any

import mmcv.ops
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.compiler import is_compiling

from mmcv_operators.roi_align import Grid, add_means_gradient, means


class ChannelsLastRoIAlign(mmcv.ops.RoIAlign):
    """mmcv's RoIAlign, on the CPU by ``mmcv_operators``, whatever operators mmcv has.

    The output's channels are last in memory, too. It is mmcv's with maxima instead of
    means, in half precision, and while the network is traced.
    """

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:
        """Returns the crops, shape (R, C, rows, columns).

        Args:
            input (Tensor): Shape (N, C, H, W), in either memory format.
            rois (Tensor): Shape (R, 5): the image's number, left, top, right, bottom.
        """
        if (
            self.pool_mode == 'avg'
            and not self.use_torchvision
            and input.device.type == 'cpu'
            and input.dtype in (torch.float32, torch.float64)
            and not is_compiling()
            and not torch.jit.is_tracing()
        ):
            grid = Grid(
                self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned
            )
            return _RoIAlign.apply(input, rois, grid)
        # mmcv's operators do not look at the memory format.
        return super().forward(input.contiguous(), rois.contiguous())


class _RoIAlign(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rois: Tensor, grid: Grid) -> Tensor:
        ctx.grid, ctx.shape = grid, x.shape
        ctx.save_for_backward(rois)
        out = _channels_last(x, (len(rois), x.shape[1], *grid.output_size))
        means(x, rois, grid, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (rois,) = ctx.saved_tensors
        grad_x = _channels_last(grad, ctx.shape)
        add_means_gradient(grad, rois, ctx.grid, grad_x)
        return grad_x, None, None


def _channels_last(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    out = torch.empty(shape, dtype=like.dtype, memory_format=torch.channels_last)
    return out.zero_()
