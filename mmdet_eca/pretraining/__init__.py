"""Pretrains a detector's backbone on ImageNet or any other folder of class folders.

Importing this package registers the data set, transforms, classifier, metric and
hooks that the configs in ``configs/imagenet`` use.
"""

from .benchmark import benchmark_data
from .corrupt_images_hook import CorruptImagesHook
from .export_backbone_hook import ExportBackboneHook
from .image_classifier import ImageClassifier
from .image_decoding import CorruptImage
from .image_folder import ImageFolder, collate_images
from .image_preprocessor import ImagePreprocessor
from .image_transforms import (
    LoadCenterCrop,
    LoadRandomResizedCrop,
    PackImage,
    RandomMirror,
)
from .pretrain import check_classes, pretrain
from .top_accuracy import TopAccuracy

__all__ = [
    'CorruptImage',
    'CorruptImagesHook',
    'ExportBackboneHook',
    'ImageClassifier',
    'ImageFolder',
    'ImagePreprocessor',
    'LoadCenterCrop',
    'LoadRandomResizedCrop',
    'PackImage',
    'RandomMirror',
    'TopAccuracy',
    'benchmark_data',
    'check_classes',
    'collate_images',
    'pretrain',
]
