from .image_classifier import ImageClassifier
from .image_preprocessor import ImagePreprocessor

__all__ = ['ImageClassifier', 'ImagePreprocessor']
