from .complexity import Complexity, classifier_complexity
from .image_classifier import ImageClassifier
from .image_preprocessor import ImagePreprocessor

__all__ = [
    'Complexity', 'ImageClassifier', 'ImagePreprocessor',
    'classifier_complexity'
]
