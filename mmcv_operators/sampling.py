"""Bilinear samples of maps, as deformable operators take them."""

from torch import Tensor


def sample(maps: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Interpolates maps at points; every pixel outside of a map is 0.

    Positions are pixels, as they are: ``grid_sample`` would scale them to [-1, 1] and
    back, and a point that is rounded across a pixel has another derivative.

    Args:
        maps (Tensor): Shape (B, C, H, W).
        y (Tensor): Rows, 0 is the middle of the first one, shape (B, P).
        x (Tensor): Columns, the same.

    Returns:
        Tensor: Shape (B, C, P). Differentiable by all three.
    """
    _, channels, height, width = maps.shape
    flat = maps.flatten(2)
    # A whole pixel away from the map and further there is nothing, not even a slope.
    near = (y > -1) & (x > -1)
    top, left = y.detach().floor(), x.detach().floor()
    total: Tensor | float = 0.0
    for row, row_weight in ((top, top + 1 - y), (top + 1, y - top)):
        for column, column_weight in ((left, left + 1 - x), (left + 1, x - left)):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            row_index, column_index = (
                row.clamp(0, height - 1),
                column.clamp(0, width - 1),
            )
            index = row_index.long() * width + column_index.long()
            values = flat.gather(2, index[:, None].expand(-1, channels, -1))
            weight = row_weight * column_weight * (inside & near)
            total = total + values * weight[:, None]
    assert isinstance(total, Tensor)
    return total
