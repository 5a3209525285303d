"""Convolutions at some pixels only.

What is gathered before the product with the weights, and what is put back after it.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def masked_im2col_forward(
    im: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    col: Tensor,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """Fills ``col`` with the neighbourhoods of some pixels.

    Args:
        im (Tensor): Shape (1, C, H, W).
        mask_h_idx (Tensor): Rows of the pixels in the output, shape (M,).
        mask_w_idx (Tensor): Their columns, the same.
        col (Tensor): Shape (C * kernel_h * kernel_w, M).
        kernel_h (int): Rows of the kernel.
        kernel_w (int): Columns of the kernel.
        pad_h (int): Rows of zeros above and below.
        pad_w (int): Columns of zeros on the left and on the right.
    """
    rows = mask_h_idx + torch.arange(kernel_h, device=im.device)[:, None]
    columns = mask_w_idx + torch.arange(kernel_w, device=im.device)[:, None]
    # Behind the right and the lower edge there can be more zeros than the padding.
    right = max(pad_w, int(columns.max()) + 1 - pad_w - im.shape[3])
    bottom = max(pad_h, int(rows.max()) + 1 - pad_h - im.shape[2])
    padded = F.pad(im[0], (pad_w, right, pad_h, bottom))
    col.copy_(padded[:, rows[:, None], columns[None]].flatten(0, 2))


def masked_col2im_forward(
    col: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    im: Tensor,
    height: int,
    width: int,
    channels: int,
) -> None:
    """Puts columns into an image, where they were taken from.

    Args:
        col (Tensor): Shape (channels, M).
        mask_h_idx (Tensor): Rows of the pixels, shape (M,).
        mask_w_idx (Tensor): Their columns, the same.
        im (Tensor): Shape (1, channels, height, width); other pixels stay as they are.
        height (int): Rows of the image.
        width (int): Columns of the image.
        channels (int): Channels of the image.
    """
    im[0, :, mask_h_idx, mask_w_idx] = col
