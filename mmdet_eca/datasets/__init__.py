from .digits import DIGITS_CLASSES, make_digits
from .image_decoding import CorruptImage
from .image_folder import ImageFolder
from .image_loading import SeededSampler, collate_images
from .image_transforms import (LoadCenterCrop, LoadRandomResizedCrop, PackImage,
                               RandomMirror)

__all__ = [
    'CorruptImage', 'DIGITS_CLASSES', 'ImageFolder', 'LoadCenterCrop',
    'LoadRandomResizedCrop', 'PackImage', 'RandomMirror', 'SeededSampler',
    'collate_images', 'make_digits'
]
