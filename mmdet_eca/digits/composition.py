"""Composes the images of Digits-COCO: handwritten digits on textured backgrounds."""

from typing import NamedTuple

import cv2
import numpy as np

IMAGE_SIZE = (160, 240)  # height, width
GLYPH_SIZES = (12, 128)  # smallest and largest square root of a box's area, pixels
MAX_ROTATION = 20  # degrees
DIGITS_PER_IMAGE = (3, 9)  # fewest and most
MIN_VISIBLE = 0.65  # share of a digit's area that no other digit covers
INK = 0.3  # share of the full intensity at the edge of a stroke


class Glyphs(NamedTuple):
    """Handwritten digits: images (N, 8, 8) in [0, 1], and their labels (N,)."""

    images: np.ndarray
    labels: np.ndarray


class Instance(NamedTuple):
    """A digit in an image: its label and its visible pixels (H, W)."""

    label: int
    mask: np.ndarray


def split_glyphs(seed: int) -> tuple[Glyphs, Glyphs]:
    """Returns scikit-learn's digits: four fifths to train, one fifth to validate."""
    from sklearn.datasets import load_digits  # half a second to import

    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)
    order = np.random.default_rng(seed).permutation(len(images))
    train, val = np.split(order, [len(order) * 4 // 5])
    return (
        Glyphs(images[train], digits.target[train]),
        Glyphs(images[val], digits.target[val]),
    )


def compose(
    glyphs: Glyphs, rng: np.random.Generator
) -> tuple[np.ndarray, list[Instance]]:
    """Composes one image.

    Args:
        glyphs (Glyphs): Digits to choose from.
        rng (np.random.Generator): The source of everything random.

    Returns:
        tuple[np.ndarray, list[Instance]]: BGR image, shape (H, W, 3), uint8, and
        the digits in it; each lies above those before it.
    """
    image = _background(rng)
    _draw_distractors(image, rng)
    instances: list[Instance] = []
    wanted = rng.integers(DIGITS_PER_IMAGE[0], DIGITS_PER_IMAGE[1] + 1)
    for _ in range(4 * wanted):  # some places would hide other digits
        if len(instances) == wanted:
            break
        chosen = rng.integers(len(glyphs.images))
        alpha = _place(glyphs.images[chosen], rng)
        mask = alpha > 0.5
        if any(
            (below.mask & mask).sum() > (1 - MIN_VISIBLE) * below.mask.sum()
            for below in instances
        ):
            continue
        instances = [Instance(below.label, below.mask & ~mask) for below in instances]
        instances.append(Instance(int(glyphs.labels[chosen]), mask))
        color = _contrasting_color(image[mask].mean(axis=0), rng)
        left, top, width, height = cv2.boundingRect((alpha > 0).view(np.uint8))
        covered = image[top : top + height, left : left + width]
        opacity = alpha[top : top + height, left : left + width, None]
        covered += opacity * (color - covered)
    image += 4 * rng.standard_normal(image.shape, np.float32)
    return image.clip(0, 255).astype(np.uint8), instances


def _background(rng: np.random.Generator) -> np.ndarray:
    """Returns noise of several scales in random colors, shape (H, W, 3), float32."""
    height, width = IMAGE_SIZE
    image = np.zeros((height, width, 3), np.float32)
    image += rng.uniform(40, 215, 3)
    for cells, strength in ((3, 45), (10, 25), (40, 12)):
        noise = rng.normal(0, strength, (cells, cells * 3 // 2, 3))
        image += cv2.resize(
            noise.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        )
    return image


def _draw_distractors(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draws strokes on an image, as thick as those of digits but of other shapes."""
    height, width = IMAGE_SIZE
    for _ in range(rng.integers(1, 5)):
        color = rng.uniform(0, 255, 3).tolist()
        thickness = int(rng.integers(1, 9))
        center = (rng.uniform(0, 1, 2) * (width, height)).astype(int)
        if rng.random() < 0.5:
            length = rng.uniform(10, 90)
            angle = rng.uniform(0, 2 * np.pi)
            end = center + length * np.array([np.cos(angle), np.sin(angle)])
            cv2.line(
                image,
                center.tolist(),
                end.astype(int).tolist(),
                color,
                thickness,
                cv2.LINE_AA,
            )
        else:
            axes = rng.integers(8, 60, 2).tolist()
            start = rng.uniform(0, 360)
            cv2.ellipse(
                image,
                center.tolist(),
                axes,
                rng.uniform(0, 180),
                start,
                start + rng.uniform(40, 140),
                color,
                thickness,
                cv2.LINE_AA,
            )


def _place(glyph: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rotates, scales and moves a glyph at random.

    Returns its opacity, shape (H, W), in [0, 1].
    """
    height, width = IMAGE_SIZE
    low, high = np.log(GLYPH_SIZES)
    size = np.exp(rng.uniform(low, high))
    angle = rng.uniform(-MAX_ROTATION, MAX_ROTATION)
    padded = np.pad(glyph, 2)
    inked = np.argwhere(padded > INK)
    (top, left), (bottom, right) = inked.min(axis=0), inked.max(axis=0)
    scale = size / np.sqrt((bottom - top + 1) * (right - left + 1))
    middle = ((left + right) / 2, (top + bottom) / 2)
    margin = min(size / 2, height / 2)
    target = rng.uniform((margin, margin), (width - margin, height - margin))
    matrix = cv2.getRotationMatrix2D(middle, angle, scale)
    matrix[:, 2] += target - middle
    ink = cv2.warpAffine(padded, matrix, (width, height), flags=cv2.INTER_CUBIC)
    edge = max(scale / 6, 1)  # about one pixel of soft edge
    return ((ink - INK) * edge + 0.5).clip(0, 1)


def _contrasting_color(behind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns a random color that is well visible on the color ``behind``."""
    while True:
        color = rng.uniform(0, 255, 3)
        if abs(color.mean() - behind.mean()) > 55:
            return color.astype(np.float32)
