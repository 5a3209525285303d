"""Decodes an image file at the resolution that a crop needs, and resizes it."""

import io
import math
import os.path as osp
from contextlib import suppress
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError

try:
    import simplejpeg
except ImportError:  # Pillow decodes JPEGs too, in twice the time
    simplejpeg = None

REDUCTIONS = (8, 4, 2, 1)  # that both simplejpeg and Pillow have


class CorruptImage(Exception):
    """Raised for an image file that cannot be read; the message says why."""


class Box(NamedTuple):
    """A rectangle of an image, in pixels from its upper left corner."""

    top: int
    left: int
    height: int
    width: int


class ImageFile(NamedTuple):
    """An image file that is not decoded yet.

    Attributes:
        data (bytes): The content of the file.
        header (Image.Image): Pillow's image, which knows its size and format.
    """

    data: bytes
    header: Image.Image


def read_image(path: str) -> ImageFile:
    """Reads an image file without decoding it.

    Raises:
        CorruptImage: If it is no image, or one of more pixels than Pillow accepts.
    """
    if not osp.isfile(path):  # to open a pipe could wait indefinitely
        raise CorruptImage('no such file')
    try:
        with open(path, 'rb') as file:
            data = file.read()
        return ImageFile(data, Image.open(io.BytesIO(data)))
    except UnidentifiedImageError:
        raise CorruptImage('not an image' if data else 'empty') from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CorruptImage(str(error)) from None


def decode(file: ImageFile, reduction: int = 1) -> np.ndarray:
    """Decodes an image.

    EXIF's orientation is ignored, as ImageNet's usual readers do.

    Args:
        file (ImageFile): The image.
        reduction (int): How many times smaller a JPEG is decoded, one of
            ``REDUCTIONS``. Other formats are decoded as they are.

    Returns:
        np.ndarray: BGR pixels, shape (H, W, 3), uint8; of a JPEG H and W are those of
        the file divided by ``reduction`` and rounded up.

    Raises:
        CorruptImage: If the image does not decode.
    """
    image = file.header
    if simplejpeg and image.format == 'JPEG' and image.mode in ('L', 'RGB'):
        height, width = (math.ceil(s / reduction) for s in (image.height, image.width))
        # It raises for what libjpeg only warns of. Pillow, below, reads some of that.
        with suppress(ValueError):
            return simplejpeg.decode_jpeg(
                file.data, 'BGR', min_height=height, min_width=width
            )
    try:
        image.draft(None, (image.width // reduction, image.height // reduction))
        pixels = np.asarray(image.convert('RGB'))
    except (OSError, SyntaxError, ValueError) as error:
        raise CorruptImage(f'it does not decode: {error}') from None
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)


def decode_crop(file: ImageFile, box: Box, size: int) -> np.ndarray:
    """Decodes a crop of an image and resizes it to a square.

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its size if the crop is still twice as large
    as the result then. Its edges are rounded to pixels of what is decoded.

    Args:
        file (ImageFile): The image.
        box (Box): The crop.
        size (int): Side of the result in pixels.

    Returns:
        np.ndarray: BGR pixels, shape (size, size, 3), uint8.

    Raises:
        CorruptImage: If the image does not decode.
    """
    reduction = next(
        r for r in REDUCTIONS if r == 1 or min(box.height, box.width) >= 2 * r * size
    )
    height = file.header.height  # which Pillow changes when it decodes
    image = decode(file, reduction)
    scale = image.shape[0] / height
    top, bottom = (round(y * scale) for y in (box.top, box.top + box.height))
    left, right = (round(x * scale) for x in (box.left, box.left + box.width))
    return resize(image[top:bottom, left:right], size, size)


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes an image bilinearly, with antialiasing where it becomes smaller.

    The result is that of Pillow's ``resize(..., BILINEAR)`` to one grey level, and
    so of torchvision, with which the paper's networks were trained; torch computes
    it several times faster than Pillow. OpenCV's bilinear resizing does not
    antialias, and its resizing by area is another filter.

    Args:
        image (np.ndarray): Pixels, shape (H, W, C), uint8.
        height (int): Height of the result in pixels.
        width (int): Width of the result in pixels.

    Returns:
        np.ndarray: Pixels, shape (height, width, C), uint8.
    """
    channels_first = torch.from_numpy(image).permute(2, 0, 1)[None]
    resized = F.interpolate(
        channels_first, (height, width), mode='bilinear', antialias=True
    )
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())
