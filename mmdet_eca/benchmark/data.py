"""How fast ImageNet's images become batches, on one core."""
import os.path as osp
import tempfile
import time
from typing import Callable, Dict, List, NamedTuple, Sequence

import cv2
import mmcv
import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile, Normalize
from torch.utils.data import default_collate

from ..datasets import (CorruptImage, ImageFolder, LoadRandomResizedCrop,
                        collate_images)
from ..errors import UserError

SIZES = ((500, 375), (2000, 1500))  # width, height
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class Rates(NamedTuple):
    """Images a second of each reader in each round, (R,) all."""
    ours: np.ndarray
    plain: np.ndarray
    decoding: np.ndarray


def benchmark_data(num_images: int = 64,
                   rounds: int = 9,
                   crop_size: int = 224,
                   batch_size: int = 32) -> str:
    """Compares three readers of the same generated JPEGs, in turn.

    Ours is the training pipeline of ``configs/imagenet``; the plain one decodes
    whole images with mmcv, crops, resizes, flips and normalises them in float,
    on the CPU; the third only decodes whole images. All run in this process on
    one thread and, but for the third, make batches. Times are the processor's,
    so that what else the machine does counts little.

    Args:
        num_images (int): JPEGs of each size.
        rounds (int): How often each reads all of them.
        crop_size (int): Side of the crops in pixels.
        batch_size (int): Images in a batch.

    Returns:
        str: A table of the rates, median over the rounds, and of the ratios,
        each of one round, with their smallest and largest.

    Raises:
        UserError: If a number is not positive.
    """
    for name, value in (('num_images', num_images), ('rounds', rounds),
                        ('crop_size', crop_size), ('batch_size', batch_size)):
        if value < 1:
            raise UserError(f'{name} must be at least 1, got {value}')
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        lines = [f'{"JPEGs":12}{"ours":>8}{"plain":>8}{"decoding":>10}'
                 f'{"ours / plain":>24}{"ours / decoding":>24}']
        for width, height in SIZES:
            rates = measure(width, height, num_images, rounds, crop_size,
                            batch_size)
            lines.append(_row(f'{width}x{height}', rates))
    finally:
        cv2.setNumThreads(threads[0])
        torch.set_num_threads(threads[1])
    return '\n'.join(
        [*lines, 'Images a second, median of the rounds; ratios: median '
         '(smallest .. largest) of the rounds.'])


def measure(width: int, height: int, num_images: int, rounds: int,
            crop_size: int, batch_size: int) -> Rates:
    """Times the three readers on JPEGs of one size."""
    with tempfile.TemporaryDirectory() as root:
        paths = write_jpegs(root, width, height, num_images)
        ours = ImageFolder(root, [
            dict(type='LoadRandomResizedCrop', size=crop_size),
            dict(type='RandomMirror'),
            dict(type='PackImage')
        ])
        plain = PlainPipeline(crop_size)
        readers: Dict[str, Callable[[], None]] = dict(
            ours=lambda: _read_ours(ours, batch_size),
            plain=lambda: _read_plain(plain, paths, batch_size),
            decoding=lambda: _decode(paths))
        seconds = {name: [] for name in readers}
        for _ in range(rounds + 1):  # the first one warms up
            for name, read in readers.items():
                start = time.process_time()
                read()
                seconds[name].append(time.process_time() - start)
    return Rates(*(num_images / np.array(seconds[name][1:])
                   for name in Rates._fields))


def write_jpegs(root: str, width: int, height: int, count: int) -> List[str]:
    """Writes JPEGs with detail of every scale into the class folder ``root/0``.

    Quality 90: 57 KB of 500x375, 400 KB of 2000x1500 pixels.
    """
    rng = np.random.default_rng(0)
    folder = osp.join(root, '0')
    paths = [osp.join(folder, f'{i:04d}.jpg') for i in range(count)]
    for path in paths:
        image = np.full((height, width, 3), 127, np.float32)
        for cells, strength in ((4, 50), (16, 25), (64, 15), (256, 10)):
            noise = rng.standard_normal(
                (cells * height // width, cells, 3), np.float32)
            image += strength * cv2.resize(
                noise, (width, height), interpolation=cv2.INTER_CUBIC)
        mmcv.imwrite(
            image.clip(0, 255).astype(np.uint8), path,
            [cv2.IMWRITE_JPEG_QUALITY, 90])
    return paths


class PlainPipeline:
    """The usual pipeline, of mmcv's functions."""

    def __init__(self, crop_size: int) -> None:
        self.load = LoadImageFromFile()
        self.crop = LoadRandomResizedCrop(crop_size)
        self.normalize = Normalize(MEAN, STD, to_rgb=True)

    def __call__(self, path: str) -> torch.Tensor:
        """A normalised crop (3, H, W) of float32."""
        results = self.load(dict(img_path=path))
        image = results['img']
        top, left, height, width = self.crop.choose(*image.shape[:2])
        image = mmcv.imcrop(
            image, np.array([left, top, left + width - 1, top + height - 1]))
        image = mmcv.imresize(image, (self.crop.size, self.crop.size))
        if np.random.random() < 0.5:
            image = mmcv.imflip(image)
        results['img'] = image
        image = self.normalize(results)['img']
        return torch.from_numpy(image.transpose(2, 0, 1).copy())


def _read_ours(folder: ImageFolder, batch_size: int) -> None:
    for batch in _batches(range(len(folder)), batch_size):
        samples = [folder[(i, (0, 0, i))] for i in batch]
        if collate_images(samples)['corrupt']:
            raise CorruptImage('a generated JPEG')


def _read_plain(pipeline: PlainPipeline, paths: List[str],
                batch_size: int) -> None:
    for batch in _batches(paths, batch_size):
        default_collate([pipeline(path) for path in batch])


def _decode(paths: List[str]) -> None:
    for path in paths:
        cv2.imread(path)


def _batches(items: Sequence, size: int) -> List[Sequence]:
    return [items[i:i + size] for i in range(0, len(items), size)]


def _row(name: str, rates: Rates) -> str:
    medians = [np.median(rate) for rate in rates]
    cells = ''.join(f'{value:>{width}.0f}'
                    for value, width in zip(medians, (8, 8, 10)))
    for other in (rates.plain, rates.decoding):
        ratio = rates.ours / other
        cells += (f'{np.median(ratio):>9.2f} '
                  f'({ratio.min():.2f} .. {ratio.max():.2f})')
    return f'{name:12}{cells}'
