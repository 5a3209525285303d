"""Reading, detecting and writing at the same time.

The network runs in the thread that iterates; other threads read and prepare the
next images, and draw and write the last ones. Most of their work is in C and leaves
Python to others meanwhile.
"""

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from mmdet.structures import DetDataSample

from .inferencer import Inferencer
from .slicing import Slicer, Window
from .sources import Images, Video

Input = TypeVar('Input')
Output = TypeVar('Output')
_AHEAD = 4  # images that wait for each worker, at most


@dataclass
class Picture:
    """An image, on its way from the file to the results.

    Attributes:
        index (int): Its number in the source.
        image (np.ndarray): Shape (H, W, 3), BGR.
        windows (list[Window]): The parts of it that the detector sees.
        inputs (list[dict]): Each of them, prepared.
        samples (list[DetDataSample]): What was found in each.
    """

    index: int
    image: np.ndarray
    windows: list[Window]
    inputs: list[dict]
    samples: list[DetDataSample] = field(default_factory=list)


def run_pipeline(
    inferencer: Inferencer,
    source: Images | Video,
    batch_size: int,
    slicer: Slicer | None,
    finish: Callable[[Picture], Output],
) -> Iterator[Output]:
    """Goes through a source.

    Args:
        inferencer (Inferencer): The detector.
        source (Images | Video): The images; those that cannot be read are left out.
        batch_size (int): Images, or parts of them, that the detector gets at once.
        slicer (Slicer, optional): Cuts images into parts.
        finish (Callable): What to do with an image when all was found. It is called
            in other threads; of a video, in one thread in the order of the frames.

    Yields:
        What ``finish`` returns, in the order of the source.
    """

    def prepare(index: int) -> Picture | None:
        image = source.read(index, inferencer.read)
        if image is None:
            return None
        height, width = image.shape[:2]
        windows = slicer.cut(image) if slicer else [(0, 0, width, height)]
        parts = (image[top:bottom, left:right] for left, top, right, bottom in windows)
        return Picture(index, image, windows, [*map(inferencer.pipeline, parts)])

    readers, writers = (
        ThreadPoolExecutor(source.workers, initializer=_yield_cores) for _ in range(2)
    )
    with readers, writers:
        depth = _AHEAD * source.workers
        pictures = _ahead(readers, prepare, source.indices(), depth)
        found = _detect(inferencer, _existing(pictures, source), batch_size)
        yield from _ahead(writers, finish, found, depth)


def _yield_cores() -> None:
    """Lets this thread run when the network leaves a core to it.

    The threads of an operation of torch wait for the slowest: one that shares its core
    would hold up all of them. Linux has a priority for each thread.
    """
    if sys.platform == 'linux':
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def _ahead(
    pool: Executor,
    function: Callable[[Input], Output],
    inputs: Iterable[Input],
    depth: int,
) -> Iterator[Output]:
    """Maps in other threads, and takes the inputs only as they are needed.

    ``Executor.map`` takes all of them at once.
    """
    pending: deque[Future[Output]] = deque()
    for item in inputs:
        pending.append(pool.submit(function, item))
        if len(pending) > depth:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _existing(
    pictures: Iterator[Picture | None], source: Images | Video
) -> Iterator[Picture]:
    """Leaves out the images that could not be read, and ends when a video does."""
    for picture in pictures:
        if picture is not None:
            yield picture
        elif source.video:
            return


def _detect(
    inferencer: Inferencer, pictures: Iterable[Picture], batch_size: int
) -> Iterator[Picture]:
    """Yields each picture when all of its parts were seen."""
    batch: list[tuple[Picture, Any]] = []

    def run() -> Iterator[Picture]:
        samples = inferencer.detect([inputs for _, inputs in batch])
        for (picture, _), sample in zip(batch, samples):
            picture.samples.append(sample)
            if len(picture.samples) == len(picture.windows):
                picture.inputs.clear()
                yield picture
        batch.clear()

    for picture in pictures:
        for inputs in picture.inputs:
            batch.append((picture, inputs))
            if len(batch) == batch_size:
                yield from run()
    if batch:
        yield from run()
