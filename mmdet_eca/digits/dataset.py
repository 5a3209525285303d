"""Digits-COCO: a small detection data set that needs no download.

The images show scikit-learn's 1,797 handwritten digits (8x8 pixels, UCI ML
hand-written digits) on textured backgrounds, in COCO's layout. Each digit is also
written alone, in ImageNet's layout.
"""

import json
import os
import os.path as osp
import tempfile

import cv2
import numpy as np
from mmengine.utils import ProgressBar

from ..errors import UserError
from .composition import (
    IMAGE_SIZE,
    SCENES,
    Glyphs,
    Instance,
    compose,
    outlines,
    split_glyphs,
)

DIGITS_CLASSES = tuple('0123456789')
CROP_SIZE = 40  # side of the image of a single digit, in pixels
CROP_CONTEXT = 1.2  # side of the part that is cut out / longer side of the box


def make_digits(
    out: str,
    num_train: int = 1000,
    num_val: int = 150,
    seed: int = 0,
    scenes: bool = False,
) -> str:
    """Writes Digits-COCO.

    For detection it has ``annotations/``, ``train/`` and ``val/``, for classification
    ``crops/train/<digit>/`` and ``crops/val/<digit>/``.

    The same arguments give the same files. No handwritten digit of the training set
    is in the validation set. The folder appears whole or not at all; if it exists
    with the same settings, nothing is done.

    Args:
        out (str): The folder to write.
        num_train (int): Number of training images.
        num_val (int): Number of validation images.
        seed (int): Seed of everything random.
        scenes (bool): Whether each image is of one of five scenes. A scene has its
            color and four of the ten digits, which are harder to tell apart one by
            one: partly covered, and between fragments of others.

    Returns:
        str: One sentence that says what was done.

    Raises:
        UserError: If a number of images is not positive, or ``out`` exists and
            holds something else.
    """
    for name, value in (('num_train', num_train), ('num_val', num_val)):
        if value < 1:
            raise UserError(f'{name} must be at least 1, got {value}')
    settings: dict[str, int] = dict(num_train=num_train, num_val=num_val, seed=seed)
    if scenes:
        settings['scenes'] = True
    info = dict(
        description='Digits-COCO, composed of the UCI ML hand-written digits',
        version='2',
        settings=settings,
    )
    if osp.lexists(out):
        if _read_info(out) == info:
            return f'{out} is there already.'
        raise UserError(
            f'{out} exists and does not hold Digits-COCO of these settings '
            f'({settings}): remove it, or choose another folder'
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
            _write_split(
                folder, split, count, splits[split], rng, scenes, info, progress
            )
        print()  # ends the line of the progress bar
        os.replace(folder, out)
    return f'{out}: {num_train} training and {num_val} validation images.'


def annotate(instance: Instance) -> dict:
    """Returns COCO's annotation of a digit.

    It has the category, the box (x, y, width, height), polygons and the area.
    """
    contours = outlines(instance.mask)
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


def cut_out(image: np.ndarray, bbox: list[int]) -> np.ndarray:
    """Cuts a digit with some surroundings out of an image.

    Args:
        image (np.ndarray): BGR pixels, shape (H, W, 3), uint8.
        bbox (list[int]): The digit's box (x, y, width, height) in pixels.

    Returns:
        np.ndarray: BGR pixels, shape (CROP_SIZE, CROP_SIZE, 3), uint8.
    """
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
    scenes: bool,
    info: dict,
    progress: ProgressBar,
) -> None:
    os.mkdir(osp.join(folder, split))
    for name in DIGITS_CLASSES:
        os.makedirs(osp.join(folder, 'crops', split, name))
    images: list[dict] = []
    annotations: list[dict] = []
    height, width = IMAGE_SIZE
    for image_id in range(1, count + 1):
        scene = SCENES[rng.integers(len(SCENES))] if scenes else None
        image, instances = compose(glyphs, rng, scene)
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


def _read_info(folder: str) -> dict:
    try:
        with open(_annotation_file(folder, 'val')) as file:
            return json.load(file).get('info')
    except (OSError, ValueError):
        return {}
