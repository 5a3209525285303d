"""A data set and detections of COCO's size, drawn at random, to time evaluations with.

Sizes, classes, crowds and polygons are distributed roughly as in COCO's val2017: 7.3
objects an image, 41 % of them small and 24 % large, 1 % crowds as uncompressed RLE.
"""

from typing import Any

import numpy as np
import pycocotools.mask as mask_util
from tqdm import tqdm

IMAGE_SIZES = ((480, 640), (640, 480), (427, 640), (640, 427), (375, 500))


def random_data_set(
    num_images: int, num_classes: int, seed: int = 0
) -> tuple[dict[str, Any], list[list[dict[str, Any]]]]:
    """Draws a data set.

    Args:
        num_images (int): Its number of images.
        num_classes (int): Its number of classes; the first are the most frequent.
        seed (int): Of the random numbers.

    Returns:
        tuple: What a COCO annotation file has, and, image by image, the outlines of
        the objects for :func:`random_detections`.
    """
    rng = np.random.default_rng(seed)
    frequencies = 1 / np.arange(1, num_classes + 1)
    frequencies /= frequencies.sum()
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    objects: list[list[dict[str, Any]]] = []
    for image_id in range(1, num_images + 1):
        height, width = IMAGE_SIZES[rng.integers(len(IMAGE_SIZES))]
        images.append(
            dict(
                id=image_id, file_name=f'{image_id:012}.jpg', height=height, width=width
            )
        )
        # An image shows few classes, and many objects of some.
        classes = rng.choice(num_classes, rng.integers(1, 8), p=frequencies)
        found = []
        for _ in range(_number_of_objects(rng)):
            thing = _random_outline(rng, height, width, int(rng.choice(classes)))
            annotation = _annotation(rng, thing, height, width)
            if annotation['area'] > 0:
                annotation.update(id=len(annotations) + 1, image_id=image_id)
                annotations.append(annotation)
                found.append(thing)
        objects.append(found)
    categories = [dict(id=i + 1, name=f'class {i + 1}') for i in range(num_classes)]
    data = dict(images=images, annotations=annotations, categories=categories)
    return data, objects


def random_detections(
    data: dict[str, Any],
    objects: list[list[dict[str, Any]]],
    per_image: int,
    seed: int = 1,
) -> list[tuple[dict, dict]]:
    """Draws detections: each object a few times, moved, and what is not there.

    Args:
        data (dict): Of :func:`random_data_set`, as the next.
        objects (list): The outlines of the objects.
        per_image (int): Detections an image.
        seed (int): Of the random numbers.

    Returns:
        list[tuple]: What MMDetection's ``CocoMetric`` keeps in ``results``: the image
        and its detections with masks as compressed RLE.
    """
    rng = np.random.default_rng(seed)
    num_classes = len(data['categories'])
    results = []
    for image, things in tqdm(list(zip(data['images'], objects)), 'Drawing'):
        height, width = image['height'], image['width']
        outlines, scores = [], []
        for thing in things:
            for copy in range(rng.integers(0, 5)):
                noise = rng.exponential(0.04) + 0.05 * copy
                outlines.append(_moved(rng, thing, noise, num_classes))
                scores.append(rng.beta(5, 2) * 0.7**copy)
        while len(outlines) < per_image:
            label = things[rng.integers(len(things))]['label'] if things else 0
            if rng.random() < 0.4:
                label = int(rng.integers(num_classes))
            outlines.append(_random_outline(rng, height, width, label))
            scores.append(0.5 * rng.beta(1, 4))
        order = np.argsort(scores)[::-1][:per_image]
        outlines = [outlines[i] for i in order]
        boxes = np.array([_box(thing, height, width) for thing in outlines])
        masks = [
            mask_util.frPyObjects([_points(thing).ravel().tolist()], height, width)[0]
            for thing in outlines
        ]
        result = dict(
            img_id=image['id'],
            bboxes=boxes.astype(np.float32),
            scores=np.array(scores)[order].astype(np.float32),
            labels=np.array([thing['label'] for thing in outlines]),
            masks=masks,
        )
        results.append((dict(width=width, height=height, img_id=image['id']), result))
    return results


def _number_of_objects(rng: np.random.Generator) -> int:
    return 0 if rng.random() < 0.01 else min(int(rng.geometric(1 / 7.4)), 60)


def _random_outline(
    rng: np.random.Generator, height: int, width: int, label: int
) -> dict[str, Any]:
    """A star-shaped outline: its center (x, y), and radii at equal angles."""
    # The square root of the area is log-normal, with COCO's part of small and large.
    radius = min(42 * np.exp(1.2 * rng.normal()) / 1.8, 0.45 * min(height, width))
    angles = np.arange(rng.integers(10, 40))
    waves = sum(
        rng.normal() * np.cos(k * 2 * np.pi * angles / len(angles) + rng.uniform(0, 7))
        for k in (1, 2, 3, 5)
    )
    return dict(
        center=rng.uniform((0, 0), (width, height)),
        radii=np.maximum(radius * (1 + 0.15 * waves), 1),
        stretch=np.exp(0.3 * rng.normal()),
        label=label,
    )


def _moved(
    rng: np.random.Generator, thing: dict[str, Any], noise: float, num_classes: int
) -> dict[str, Any]:
    """The outline as a detector finds it, sometimes of another class."""
    radii = thing['radii']
    size = radii.mean()
    label = thing['label']
    if rng.random() < 0.1:
        label = int(rng.integers(num_classes))
    return dict(
        center=thing['center'] + noise * size * rng.normal(size=2),
        radii=np.maximum(radii * (1 + noise * rng.normal(size=radii.shape)), 1),
        stretch=thing['stretch'] * np.exp(noise * rng.normal()),
        label=label,
    )


def _points(thing: dict[str, Any]) -> np.ndarray:
    """The vertices (x, y) of an outline, of shape (n, 2), in pixels."""
    angles = np.arange(len(thing['radii'])) * (2 * np.pi / len(thing['radii']))
    directions = np.stack(
        [np.cos(angles) * thing['stretch'], np.sin(angles) / thing['stretch']], axis=1
    )
    return thing['center'] + directions * thing['radii'][:, None]


def _box(thing: dict[str, Any], height: int, width: int) -> np.ndarray:
    """The box (x1, y1, x2, y2) of an outline within the image, in pixels."""
    points = np.clip(_points(thing), 0, (width, height))
    return np.concatenate([points.min(0), points.max(0)])


def _annotation(
    rng: np.random.Generator, thing: dict[str, Any], height: int, width: int
) -> dict[str, Any]:
    """What COCO's file says of an object: polygons, or a crowd's runs."""
    points = np.clip(_points(thing), 0, (width, height)).round(2)
    polygons = [points.ravel().tolist()]
    if rng.random() < 0.1:  # something stands before it
        half = len(points) // 2
        polygons = [points[:half].ravel().tolist(), points[half:].ravel().tolist()]
    rle = mask_util.merge(mask_util.frPyObjects(polygons, height, width))
    x1, y1, x2, y2 = _box(thing, height, width).tolist()
    crowd = rng.random() < 0.012
    return dict(
        category_id=thing['label'] + 1,
        bbox=[round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)],
        area=float(mask_util.area(rle)),
        iscrowd=int(crowd),
        segmentation=_uncompressed(rle) if crowd else polygons,
    )


def _uncompressed(rle: dict[str, Any]) -> dict[str, Any]:
    """The same mask as a list of runs down the columns, the first of them empty."""
    pixels = mask_util.decode(rle).ravel(order='F')
    ends = np.flatnonzero(np.diff(pixels)) + 1
    runs = np.diff(np.concatenate([[0], ends, [pixels.size]])).tolist()
    if pixels[0]:
        runs.insert(0, 0)
    return dict(size=rle['size'], counts=runs)
