"""Measures how fast images of ImageNet's sizes become batches, on one core."""

import os.path as osp
import tempfile
import time
from typing import Any

import cv2
import mmcv
import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile, Normalize
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from ..errors import UserError
from ..visualization import text_table
from .image_folder import ImageFolder, collate_images
from .image_transforms import LoadRandomResizedCrop

READERS = ('mmdet_eca', 'plain', 'decoding')
SIZES = ((500, 375), (2000, 1500))  # width, height
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def benchmark_data(
    num_images: int = 128, rounds: int = 9, crop_size: int = 224, batch_size: int = 32
) -> str:
    """Compares three readers of the same generated JPEGs.

    'mmdet_eca' is the training pipeline of ``configs/imagenet``. 'plain' decodes
    whole images with mmcv, crops, resizes (with Pillow, which antialiases too),
    flips, and normalises in float on the CPU. 'decoding' only decodes whole images.
    Each runs on one thread: first in this process, then in a worker of a data
    loader, which has to pass its batches on.

    Args:
        num_images (int): Number of JPEGs of each size.
        rounds (int): How often each reader reads all of them.
        crop_size (int): Side of the crops in pixels.
        batch_size (int): Images in a batch.

    Returns:
        str: A table of the images a second, median over the rounds, and of their
        ratios in each round: median, smallest and largest.

    Raises:
        UserError: If a number is not positive.
    """
    for name, value in (
        ('num_images', num_images),
        ('rounds', rounds),
        ('crop_size', crop_size),
        ('batch_size', batch_size),
    ):
        if value < 1:
            raise UserError(f'{name} must be at least 1, got {value}')
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    cells = [['JPEGs', 'in', *READERS, 'mmdet_eca / plain', 'mmdet_eca / decoding']]
    try:
        with tqdm(total=len(SIZES) * 2 * (rounds + 1)) as progress:
            for width, height in SIZES:
                with tempfile.TemporaryDirectory() as root:
                    paths = write_jpegs(root, width, height, num_images)
                    for workers, place in enumerate(('this process', 'a worker')):
                        loaders = _loaders(root, paths, crop_size, batch_size, workers)
                        seconds = _measure(loaders, rounds, progress)
                        cells.append(
                            [f'{width}x{height}', place, *_row(num_images, seconds)]
                        )
    finally:
        cv2.setNumThreads(threads[0])
        torch.set_num_threads(threads[1])
    return (
        f'{text_table(cells, left_columns=2)}\n'
        'Images a second, median of the rounds; ratios: median '
        '(smallest .. largest) of the rounds.'
    )


def _loaders(
    root: str, paths: list[str], crop_size: int, batch_size: int, workers: int
) -> list[DataLoader]:
    """Returns the data loaders of the three readers."""
    images = ImageFolder(
        root,
        [
            dict(type='LoadRandomResizedCrop', size=crop_size),
            dict(type='RandomMirror'),
            dict(type='PackImage'),
        ],
    )
    options: dict[str, Any] = dict(
        batch_size=batch_size, num_workers=workers, persistent_workers=workers > 0
    )
    return [
        DataLoader(images, collate_fn=collate_images, **options),
        DataLoader(PlainPipeline(paths, crop_size), **options),
        DataLoader(Decoding(paths), **options),
    ]


def _measure(loaders: list[DataLoader], rounds: int, progress: tqdm) -> np.ndarray:
    """Returns the seconds of each reader in each round, shape (3, rounds)."""
    seconds = np.empty((len(loaders), rounds + 1))  # the first one warms up
    for number in range(rounds + 1):
        for i, loader in enumerate(loaders):
            start = time.perf_counter()
            for _ in loader:
                pass
            seconds[i, number] = time.perf_counter() - start
        progress.update()
    return seconds[:, 1:]


def _row(num_images: int, seconds: np.ndarray) -> list[str]:
    ratios = seconds[1:] / seconds[0]
    return [
        *(f'{rate:.0f}' for rate in np.median(num_images / seconds, axis=1)),
        *(f'{np.median(r):.2f} ({r.min():.2f} .. {r.max():.2f})' for r in ratios),
    ]


def write_jpegs(root: str, width: int, height: int, count: int) -> list[str]:
    """Writes JPEGs with details of every size into the class folder ``root/0``.

    With quality 90 a JPEG of 500x375 pixels has 57 KB, one of 2000x1500 400 KB.

    Returns:
        list[str]: Their paths.
    """
    rng = np.random.default_rng(0)
    folder = osp.join(root, '0')
    paths = [osp.join(folder, f'{i:04d}.jpg') for i in range(count)]
    for path in paths:
        image = np.full((height, width, 3), 127, np.float32)
        for cells, strength in ((4, 50), (16, 25), (64, 15), (256, 10)):
            noise = rng.standard_normal((cells * height // width, cells, 3), np.float32)
            image += strength * cv2.resize(
                noise, (width, height), interpolation=cv2.INTER_CUBIC
            )
        mmcv.imwrite(
            image.clip(0, 255).astype(np.uint8), path, [cv2.IMWRITE_JPEG_QUALITY, 90]
        )
    return paths


class PlainPipeline(Dataset):
    """The usual training pipeline, made of mmcv's functions."""

    def __init__(self, paths: list[str], crop_size: int) -> None:
        self.paths = paths
        self.load = LoadImageFromFile()
        self.crop = LoadRandomResizedCrop(crop_size)
        self.normalize = Normalize(MEAN, STD, to_rgb=True)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        """Returns a normalised crop, shape (3, H, W), float32."""
        results = self.load(dict(img_path=self.paths[index]))
        image = results['img']
        top, left, height, width = self.crop.choose(*image.shape[:2])
        image = mmcv.imcrop(
            image, np.array([left, top, left + width - 1, top + height - 1])
        )
        image = mmcv.imresize(image, (self.crop.size, self.crop.size), backend='pillow')
        if np.random.random() < 0.5:
            image = mmcv.imflip(image)
        results['img'] = image
        image = self.normalize(results)['img']
        return torch.from_numpy(image.transpose(2, 0, 1).copy())


class Decoding(Dataset):
    """Decodes whole images and keeps nothing of them."""

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> int:
        cv2.imread(self.paths[index])
        return index
