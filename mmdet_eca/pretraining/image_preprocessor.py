from mmdet.registry import MODELS
from mmengine.model import ImgDataPreprocessor


@MODELS.register_module()
class ImagePreprocessor(ImgDataPreprocessor):
    """mmengine's ImgDataPreprocessor for images (N, H, W, 3) as OpenCV has them.

    They come to the device as uint8, a quarter of what float32 takes, and are
    transposed and normalised there.
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Returns ``inputs`` as (N, 3, H, W) of float32, normalised, and
        ``data_samples``, the labels (N,); a classifier takes nothing else."""
        data = super().forward(
            dict(
                inputs=data['inputs'].permute(0, 3, 1, 2),
                data_samples=data['data_samples'],
            ),
            training,
        )
        # The layout in memory is left to ChannelsLastHook.
        data['inputs'] = data['inputs'].contiguous()
        return data
