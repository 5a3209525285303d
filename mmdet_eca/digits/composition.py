"""Composes the images of Digits-COCO: handwritten digits on textured backgrounds."""

import colorsys
from typing import NamedTuple

import cv2
import numpy as np

IMAGE_SIZE = (160, 240)  # height, width
GLYPH_SIZES = (12, 128)  # smallest and largest square root of a box's area, pixels
MAX_ROTATION = 20  # degrees
DIGITS_PER_IMAGE = (3, 9)  # fewest and most
MIN_VISIBLE = 0.65  # share of a digit's area that no other digit covers
INK = 0.3  # share of the full intensity at the edge of a stroke
FRAGMENTS = (2, 6)  # of digits that are not there, in a scene
BARS = (2, 6)  # that cover digits in a scene
MIN_UNCOVERED = 0.5  # share of a digit's area that no bar covers


class Glyphs(NamedTuple):
    """Handwritten digits: images (N, 8, 8) in [0, 1], and their labels (N,)."""

    images: np.ndarray
    labels: np.ndarray


class Instance(NamedTuple):
    """A digit in an image: its label and its visible pixels (H, W)."""

    label: int
    mask: np.ndarray


class Scene(NamedTuple):
    """A kind of image that tells something about its digits.

    Attributes:
        color (tuple[float]): Mean BGR color of the background.
        labels (tuple[int]): The digits that occur.
    """

    color: tuple[float, ...]
    labels: tuple[int, ...]


def _scene(number: int, count: int = 5) -> Scene:
    """Returns the scene of the digits 2n to 2n + 3; each digit is in two scenes."""
    rgb = colorsys.hsv_to_rgb(number / count, 0.5, 0.6)
    labels = tuple((2 * number + i) % 10 for i in range(4))
    return Scene(tuple(255 * value for value in reversed(rgb)), labels)


SCENES = tuple(_scene(number) for number in range(5))


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
    glyphs: Glyphs, rng: np.random.Generator, scene: Scene | None = None
) -> tuple[np.ndarray, list[Instance]]:
    """Composes one image.

    Args:
        glyphs (Glyphs): Digits to choose from.
        rng (np.random.Generator): The source of everything random.
        scene (Scene, optional): Gives the background its color and chooses the
            digits, which are harder to tell apart then: between fragments of others,
            and partly covered. By default nothing in an image depends on the rest.

    Returns:
        tuple[np.ndarray, list[Instance]]: BGR image, shape (H, W, 3), uint8, and
        the digits in it; each lies above those before it.
    """
    image = _background(rng, scene)
    _draw_distractors(image, rng)
    if scene:
        _draw_fragments(image, glyphs, rng)
        of_scene = np.isin(glyphs.labels, scene.labels)
        glyphs = Glyphs(glyphs.images[of_scene], glyphs.labels[of_scene])
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
        _draw_glyph(image, alpha, rng)
    if scene:
        instances = _draw_bars(image, instances, rng)
    image += 4 * rng.standard_normal(image.shape, np.float32)
    return image.clip(0, 255).astype(np.uint8), instances


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Returns the polygons around the pixels of a mask that have an area.

    Args:
        mask (np.ndarray): Shape (H, W), bool.

    Returns:
        list[np.ndarray]: Points (x, y) of each polygon, shape (N, 2), int32.
    """
    contours, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    return [contour[:, 0] for contour in contours if cv2.contourArea(contour) >= 4]


def _background(rng: np.random.Generator, scene: Scene | None) -> np.ndarray:
    """Returns noise of several scales in random colors, shape (H, W, 3), float32."""
    height, width = IMAGE_SIZE
    image = np.zeros((height, width, 3), np.float32)
    if scene:
        image += rng.normal(scene.color, 15)
    else:
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


def _draw_fragments(
    image: np.ndarray, glyphs: Glyphs, rng: np.random.Generator
) -> None:
    """Draws unannotated fragments of digits, less than half of each, as distractors."""
    rows, columns = np.indices(IMAGE_SIZE)
    for _ in range(rng.integers(FRAGMENTS[0], FRAGMENTS[1] + 1)):
        alpha = _place(glyphs.images[rng.integers(len(glyphs.images))], rng)
        angle = rng.uniform(0, 2 * np.pi)
        position = np.cos(angle) * columns + np.sin(angle) * rows
        share = rng.uniform(0.2, 0.4)
        alpha[position > np.quantile(position[alpha > 0.5], share)] = 0
        _draw_glyph(image, alpha, rng)


def _draw_glyph(image: np.ndarray, alpha: np.ndarray, rng: np.random.Generator) -> None:
    """Draws a glyph of this opacity in one color, which is well visible."""
    color = _contrasting_color(image[alpha > 0.5].mean(axis=0), rng)
    left, top, width, height = cv2.boundingRect((alpha > 0).view(np.uint8))
    covered = image[top : top + height, left : left + width]
    opacity = alpha[top : top + height, left : left + width, None]
    covered += opacity * (color - covered)


def _draw_bars(
    image: np.ndarray, instances: list[Instance], rng: np.random.Generator
) -> list[Instance]:
    """Draws bars across digits; returns what is still visible of each."""
    areas = [MIN_UNCOVERED * instance.mask.sum() for instance in instances]
    for _ in range(rng.integers(BARS[0], BARS[1] + 1)):
        bar = np.zeros(IMAGE_SIZE, np.uint8)
        points = np.argwhere(instances[rng.integers(len(instances))].mask)
        row, column = points[rng.integers(len(points))]
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(20, 60)
        step = length * np.array([np.cos(angle), np.sin(angle)]) / 2
        begin, end = ((column, row) + sign * step for sign in (-1, 1))
        thickness = int(rng.integers(3, 13))
        cv2.line(
            bar, begin.astype(int).tolist(), end.astype(int).tolist(), 1, thickness
        )
        left = [Instance(label, mask & (bar == 0)) for label, mask in instances]
        if all(
            mask.sum() >= area and outlines(mask)
            for (_, mask), area in zip(left, areas)
        ):
            image[bar > 0] = rng.uniform(0, 255, 3)
            instances = left
    return instances


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
