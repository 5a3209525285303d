"""ResNet with gather-excite."""

from typing import Any, Optional, Union

from mmdet.registry import MODELS

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
            is missing, or, while weights are loaded, if the attention in a
            checkpoint does not fit.
    """

    def __init__(
        self,
        depth: int,
        variant: str = 'theta-',
        extent: Optional[int] = None,
        image_size: Optional[Union[int, tuple[int, int]]] = None,
        ratio: int = 16,
        **kwargs: Any,
    ) -> None:
        attention = dict(
            type='mmdet.GatherExcite', variant=variant, extent=extent, ratio=ratio
        )
        num_stages = kwargs.get('num_stages', 4)
        sizes = (
            [None] * num_stages
            if image_size is None
            else map_sizes(image_size, num_stages)
        )
        super().__init__(
            depth,
            attention=[dict(attention, map_size=size) for size in sizes],
            **kwargs,
        )


def map_sizes(
    image_size: Union[int, tuple[int, int]], num_stages: int
) -> list[tuple[int, int]]:
    """Height and width of a ResNet's maps after each stage.

    A quarter of the image's, rounded up, then half of the stage's before.
    """
    height, width = (
        (image_size, image_size) if isinstance(image_size, int) else image_size
    )
    return [
        (-(-height // 2**scale), -(-width // 2**scale))
        for scale in range(2, num_stages + 2)
    ]
