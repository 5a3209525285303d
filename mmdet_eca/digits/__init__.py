"""Digits-COCO, a small detection data set of real digits, and the demo on it."""

from .dataset import DIGITS_CLASSES, make_digits
from .demo import run_demo

__all__ = ['DIGITS_CLASSES', 'make_digits', 'run_demo']
