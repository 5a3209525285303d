from mmdet.registry import MODELS
from mmengine.model import ImgDataPreprocessor


@MODELS.register_module()
class ImagePreprocessor(ImgDataPreprocessor):
    """mmengine's ImgDataPreprocessor for images of shape (N, H, W, 3).

    OpenCV decodes images in this shape. They are copied to the device as uint8, a
    quarter of the size of float32, and are transposed and normalised there.
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Moves a batch to the device and normalises it.

        Args:
            data (dict): A batch of :func:`collate_images`.
            training (bool): Not used.

        Returns:
            dict: ``inputs`` (N, 3, H, W), float32, normalised, and the labels
            ``data_samples`` (N,).
        """
        data = super().forward(
            dict(
                inputs=data['inputs'].permute(0, 3, 1, 2),
                data_samples=data['data_samples'],
            ),
            training,
        )
        # ChannelsLastHook alone decides on the memory format.
        data['inputs'] = data['inputs'].contiguous()
        return data
