"""Digits-COCO: a small detection data set that needs no download.

Composes scikit-learn's 1,797 handwritten digits (8x8 pixels, UCI ML hand-written
digits) onto textured backgrounds and writes them in COCO's layout, and each digit
cut out in ImageNet's.
"""

import json
import os
import os.path as osp
import tempfile
from typing import Dict, List, NamedTuple, Tuple

import cv2
import numpy as np
from mmengine.utils import ProgressBar

from ..errors import UserError

DIGITS_CLASSES = tuple('0123456789')
IMAGE_SIZE = (160, 240)  # height, width
GLYPH_SIZES = (12, 128)  # square root of the area of the box, in pixels
MAX_ROTATION = 20  # degrees
DIGITS_PER_IMAGE = (3, 9)
MIN_VISIBLE = 0.65  # of the area of a digit that others overlap
INK = 0.3  # of the full intensity, where a stroke ends
CROP_SIZE = 40  # side in pixels of a digit that is cut out
CROP_CONTEXT = 1.2  # side of what is cut out / longer side of the box


class Glyphs(NamedTuple):
    """Handwritten digits: images (N, 8, 8) in [0, 1] and labels (N,)."""

    images: np.ndarray
    labels: np.ndarray


class Instance(NamedTuple):
    """A digit in an image: its label and its visible pixels (H, W)."""

    label: int
    mask: np.ndarray


def make_digits(
    out: str, num_train: int = 1000, num_val: int = 150, seed: int = 0
) -> str:
    """Writes Digits-COCO: ``annotations/``, ``train/`` and ``val/``, and its
    digits cut out: ``crops/train/<digit>/`` and ``crops/val/<digit>/``.

    The same arguments give the same files. No glyph of the training set occurs
    in the validation set. The folder appears whole or not at all; if it is
    there already with the same settings, nothing is done.

    Args:
        out (str): The folder to write.
        num_train (int): Number of training images.
        num_val (int): Number of validation images.
        seed (int): Of everything random.

    Returns:
        str: One sentence that says what was done.

    Raises:
        UserError: If a count is not positive, or if ``out`` exists and is
            something else.
    """
    for name, value in (('num_train', num_train), ('num_val', num_val)):
        if value < 1:
            raise UserError(f'{name} must be at least 1, got {value}')
    info = dict(
        description='Digits-COCO, composed of the UCI ML hand-written digits',
        version='2',
        settings=dict(num_train=num_train, num_val=num_val, seed=seed),
    )
    if osp.lexists(out):
        if _read_info(out) == info:
            return f'{out} is there already.'
        raise UserError(
            f'{out} exists and does not hold Digits-COCO of these settings '
            f'({info["settings"]}): remove it, or choose another folder'
        )

    parent = osp.dirname(osp.abspath(out))
    os.makedirs(parent, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.digits-', dir=parent) as scratch:
        folder = osp.join(scratch, 'digits')
        os.makedirs(osp.join(folder, 'annotations'))
        progress = ProgressBar(num_train + num_val)
        splits = dict(zip(('train', 'val'), split_glyphs(seed)))
        for index, (split, count) in enumerate(
            (('train', num_train), ('val', num_val))
        ):
            rng = np.random.default_rng((seed, index))
            _write_split(folder, split, count, splits[split], rng, info, progress)
        print()  # ends the line of the progress bar
        os.replace(folder, out)
    return f'{out}: {num_train} training and {num_val} validation images.'


def split_glyphs(seed: int) -> Tuple[Glyphs, Glyphs]:
    """Four fifths of scikit-learn's digits for training, one for validation."""
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
) -> Tuple[np.ndarray, List[Instance]]:
    """Draws one image and says where its digits are.

    Args:
        glyphs (Glyphs): Digits to choose from.
        rng (np.random.Generator): The source of everything random.

    Returns:
        tuple[np.ndarray, list[Instance]]: BGR image (H, W, 3) of uint8 and the
        digits in it, bottom to top.
    """
    image = _background(rng)
    _draw_distractors(image, rng)
    instances: List[Instance] = []
    wanted = rng.integers(DIGITS_PER_IMAGE[0], DIGITS_PER_IMAGE[1] + 1)
    for _ in range(4 * wanted):  # places that hide others too much are refused
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


def annotate(instance: Instance) -> Dict:
    """COCO's fields of a digit: category, box (x, y, w, h), polygons, area."""
    contours, _ = cv2.findContours(
        instance.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    contours = [c[:, 0] for c in contours if cv2.contourArea(c) >= 4]
    points = np.concatenate(contours)
    left, top = points.min(axis=0)
    width, height = points.max(axis=0) + 1 - (left, top)
    return dict(
        category_id=instance.label + 1,
        bbox=[int(left), int(top), int(width), int(height)],
        segmentation=[c.ravel().tolist() for c in contours],
        area=float(sum(cv2.contourArea(c) for c in contours)),
        iscrowd=0,
    )


def cut_out(image: np.ndarray, bbox: List[int]) -> np.ndarray:
    """A box (x, y, w, h) of an image with its surroundings, as BGR pixels
    (CROP_SIZE, CROP_SIZE, 3) of uint8."""
    x, y, width, height = bbox
    scale = CROP_SIZE / (CROP_CONTEXT * max(width, height))
    middle = np.array([x + width / 2, y + height / 2])
    matrix = np.column_stack([np.eye(2) * scale, CROP_SIZE / 2 - scale * middle])
    return cv2.warpAffine(
        image, matrix, (CROP_SIZE, CROP_SIZE), borderMode=cv2.BORDER_REFLECT
    )


def _write_split(
    folder: str,
    split: str,
    count: int,
    glyphs: Glyphs,
    rng: np.random.Generator,
    info: Dict,
    progress: ProgressBar,
) -> None:
    os.mkdir(osp.join(folder, split))
    for name in DIGITS_CLASSES:
        os.makedirs(osp.join(folder, 'crops', split, name))
    images, annotations = [], []
    height, width = IMAGE_SIZE
    for image_id in range(1, count + 1):
        image, instances = compose(glyphs, rng)
        file_name = f'{image_id:06d}.jpg'
        cv2.imwrite(
            osp.join(folder, split, file_name), image, [cv2.IMWRITE_JPEG_QUALITY, 95]
        )
        images.append(
            dict(id=image_id, file_name=file_name, height=height, width=width)
        )
        for instance in instances:
            annotation = dict(
                id=len(annotations) + 1, image_id=image_id, **annotate(instance)
            )
            annotations.append(annotation)
            cv2.imwrite(
                osp.join(
                    folder,
                    'crops',
                    split,
                    str(instance.label),
                    f'{annotation["id"]:05d}.png',
                ),
                cut_out(image, annotation['bbox']),
            )
        if image_id % 20 == 0 or image_id == count:
            progress.update((image_id - 1) % 20 + 1)
    categories = [
        dict(id=label + 1, name=name) for label, name in enumerate(DIGITS_CLASSES)
    ]
    with open(_annotation_file(folder, split), 'w') as file:
        json.dump(
            dict(
                info=info, images=images, annotations=annotations, categories=categories
            ),
            file,
        )


def _annotation_file(folder: str, split: str) -> str:
    return osp.join(folder, 'annotations', f'instances_{split}.json')


def _read_info(folder: str) -> Dict:
    try:
        with open(_annotation_file(folder, 'val')) as file:
            return json.load(file).get('info')
    except (OSError, ValueError):
        return {}


def _background(rng: np.random.Generator) -> np.ndarray:
    """Noise of several scales in random colors, (H, W, 3) float32."""
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
    """Paints strokes as thick as those of digits, but of no digit's form."""
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
    """Turns and scales a glyph into a random place; its opacity (H, W)."""
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
    """A random color, well visible on the color ``behind``."""
    while True:
        color = rng.uniform(0, 255, 3)
        if abs(color.mean() - behind.mean()) > 55:
            return color.astype(np.float32)
