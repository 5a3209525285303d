"""The transforms of ImageNet pretraining.

They do what mmcv's transforms do not: they choose a crop before the image is
decoded, resize with antialiasing, and keep pixels as uint8, which
:class:`ImagePreprocessor` normalises on the device.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from ..errors import UserError
from .image_decoding import Box, decode, decode_crop, read_image, resize


@TRANSFORMS.register_module()
class LoadRandomResizedCrop(BaseTransform):
    """Loads a crop of random area and aspect ratio, and resizes it to a square.

    The crop is that of "Going Deeper with Convolutions", Szegedy et al., CVPR 2015,
    in torchvision's form: if ten random crops do not fit into the image, it is the
    largest central one with an allowed aspect ratio.

    Args:
        size (int): Side of the result in pixels.
        area (Sequence[float]): Smallest and largest share of the image's area.
        aspect_ratio (Sequence[float]): Smallest and largest width / height; its
            logarithm is uniform.
    """

    def __init__(
        self,
        size: int,
        area: Sequence[float] = (0.08, 1.0),
        aspect_ratio: Sequence[float] = (3 / 4, 4 / 3),
    ) -> None:
        self.size = size
        self.area = area
        self.aspect_ratio = aspect_ratio

    def transform(self, results: dict) -> dict:
        """Sets ``img``, BGR pixels (size, size, 3), uint8, from the file ``img_path``.

        Raises:
            CorruptImage: If the file cannot be read.
        """
        file = read_image(results['img_path'])
        box = self.choose(file.header.height, file.header.width)
        results['img'] = decode_crop(file, box, self.size)
        return results

    def choose(self, height: int, width: int) -> Box:
        """Returns a random crop of an image of ``height`` x ``width`` pixels."""
        smallest, largest = self.area
        low, high = self.aspect_ratio
        for _ in range(10):
            area = height * width * np.random.uniform(smallest, largest)
            ratio = math.exp(np.random.uniform(math.log(low), math.log(high)))
            w = round(math.sqrt(area * ratio))
            h = round(math.sqrt(area / ratio))
            if 0 < w <= width and 0 < h <= height:
                return Box(
                    np.random.randint(height - h + 1),
                    np.random.randint(width - w + 1),
                    h,
                    w,
                )
        w = min(width, max(round(height * high), 1))
        h = min(height, max(round(width / low), 1))
        return Box((height - h) // 2, (width - w) // 2, h, w)


@TRANSFORMS.register_module()
class LoadCenterCrop(BaseTransform):
    """Loads an image, resizes it with antialiasing, and cuts out the central square.

    Sizes and positions are rounded as torchvision rounds them.

    Args:
        size (int): Side of the square in pixels.
        shorter_side (int): Shorter side of the resized image in pixels.

    Raises:
        UserError: If ``shorter_side`` is less than ``size``.
    """

    def __init__(self, size: int = 224, shorter_side: int = 256) -> None:
        if shorter_side < size:
            raise UserError(
                f'shorter_side={shorter_side} of LoadCenterCrop must '
                f'be at least its size={size}'
            )
        self.size = size
        self.shorter_side = shorter_side

    def transform(self, results: dict) -> dict:
        """Sets ``img``, BGR pixels (size, size, 3), uint8, from the file ``img_path``.

        Raises:
            CorruptImage: If the file cannot be read.
        """
        image = decode(read_image(results['img_path']))
        shorter = min(image.shape[:2])
        height, width = (
            side * self.shorter_side // shorter for side in image.shape[:2]
        )
        top, left = (round((side - self.size) / 2) for side in (height, width))
        image = resize(image, height, width)
        results['img'] = image[top : top + self.size, left : left + self.size]
        return results


@TRANSFORMS.register_module()
class RandomMirror(BaseTransform):
    """Flips ``img`` horizontally.

    mmcv's RandomFlip returns a view with negative strides; to copy it later takes
    ten times as long as OpenCV's flip.

    Args:
        prob (float): Probability of the flip.
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Replaces ``img``, shape (H, W, 3)."""
        if np.random.random() < self.prob:
            results['img'] = cv2.flip(results['img'], 1)
        return results


@TRANSFORMS.register_module()
class PackImage(BaseTransform):
    """Keeps what the classifier needs, and the path of the image for messages."""

    def transform(self, results: dict) -> dict:
        """Returns what a data loader puts together.

        That is ``img`` (H, W, 3) as ``inputs``, ``gt_label`` as ``data_samples``, and
        ``img_path``.
        """
        return dict(
            inputs=results['img'],
            data_samples=results['gt_label'],
            img_path=results['img_path'],
        )
