from .digit_crops import DigitCrops
from .digits import DIGITS_CLASSES, make_digits

__all__ = ['DIGITS_CLASSES', 'DigitCrops', 'make_digits']
