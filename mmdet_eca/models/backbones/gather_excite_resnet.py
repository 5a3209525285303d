"""ResNet with gather-excite."""

from collections.abc import Sequence
from typing import Any

from mmdet.registry import MODELS

from ...errors import UserError
from ..attention.attention_layer import Size, height_and_width
from .attention_resnet import AttentionResNet


@MODELS.register_module()
class GEResNet(AttentionResNet):
    """ResNet with gather-excite (NeurIPS 2018) in every residual block.

    For classification give ``image_size=224``: without an extent, 'theta' and
    'theta+' have kernels as large as the maps of such images, and run at this size
    only. For detection give ``extent=8``, which runs at any size. 'theta-' has no
    kernels and runs at any size either way.

    Args:
        depth (int): Depth of the network, one of 18, 34, 50, 101 and 152.
        variant (str): 'theta-', 'theta' or 'theta+'.
        extent (int, optional): 2, 4 or 8; None for the whole map.
        image_size (int | tuple[int], optional): Height and width of the images, for
            'theta' and 'theta+' without extent.
        ratio (int): Reduction r of 'theta+'.
        **kwargs: Every other argument of :class:`AttentionResNet` but
            ``attention``.

    Raises:
        UserError: If the depth, the variant or the extent is unknown, the image size
            is missing or no size, while weights are loaded, if the attention in a
            checkpoint does not fit, or, in the forward pass without an extent, if the
            images have another size.
    """

    def __init__(
        self,
        depth: int,
        variant: str = 'theta-',
        extent: int | None = None,
        image_size: Size | None = None,
        ratio: int = 16,
        **kwargs: Any,
    ) -> None:
        attention = dict(
            type='mmdet.GatherExcite', variant=variant, extent=extent, ratio=ratio
        )
        if variant not in ('theta', 'theta+') or extent is not None:
            super().__init__(depth, attention=attention, **kwargs)
            return
        if image_size is None:
            raise UserError(
                f'image_size is missing: GE-{variant} without extent has kernels as '
                'large as the maps; give it, such as 224, or extent=8 for images of '
                'any size'
            )
        sizes = map_sizes(image_size, **kwargs)
        super().__init__(
            depth,
            attention=[dict(attention, map_size=size) for size in sizes],
            **kwargs,
        )


def map_sizes(
    image_size: Size, strides: Sequence[int] = (1, 2, 2, 2), **kwargs: Any
) -> list[tuple[int, int]]:
    """Height and width of a ResNet's maps after each stage.

    A quarter of the image's, then the part that the stages' strides leave, rounded up.

    Args:
        image_size (int | tuple[int]): Height and width of the images.
        strides (Sequence[int]): Stride of each stage.
        **kwargs: The backbone's other arguments.

    Raises:
        UserError: If ``image_size`` is neither a positive integer nor two of them.
    """
    height, width = height_and_width('image_size', image_size)
    scale, sizes = 4, []
    for stride in strides:
        scale *= stride
        sizes.append((-(-height // scale), -(-width // scale)))
    return sizes
