"""The inputs of a prediction, images or a video, and their pictures."""

import itertools
import os
import os.path as osp
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import cv2
import mmcv
import numpy as np

from ..errors import UserError, first_few
from ..training.images import find_images, is_image


def open_source(inputs: Sequence[str]) -> 'Images | Video':
    """Opens images, or one video.

    Whether a file that is no image is a video, OpenCV says when it opens it. Types by
    the names' endings would depend on the machine, and leave out some that it reads.

    Args:
        inputs (Sequence[str]): See :func:`find_images`, or the path of a video.

    Raises:
        UserError: If an input is none, a folder or pattern has no images, or a video
            has company or no frames.
    """
    for name in inputs:
        if osp.isfile(name) and not is_image(name) and not cv2.haveImageReader(name):
            if len(inputs) > 1:
                raise UserError(
                    f'{name} is no image, and a video is predicted on alone, not with '
                    f'{len(inputs) - 1} other inputs'
                )
            return Video(name)
    return Images(inputs)


class Images:
    """Image files.

    Attributes:
        failures (list[str]): Those that could not be read, with the reasons.
    """

    unit = 'image'
    workers = max(1, min(4, (os.cpu_count() or 1) // 4))  # beside the network's threads

    def __init__(self, inputs: Sequence[str]) -> None:
        self.paths = find_images(inputs)
        folder = osp.commonpath([osp.dirname(osp.abspath(path)) for path in self.paths])
        self.names = [osp.relpath(path, folder) for path in self.paths]
        self.failures: list[str] = []

    def __len__(self) -> int:
        return len(self.paths)

    def indices(self) -> Iterable[int]:
        """Returns the numbers of the images."""
        return range(len(self))

    def name(self, index: int) -> str:
        """Returns the name in the results: the path below the common folder."""
        return self.names[index]

    def read(self, index: int, read: Callable[[str], np.ndarray]) -> np.ndarray | None:
        """Reads an image by ``read``; a failure is noted, and gives None."""
        try:
            return read(self.paths[index])
        except ValueError as error:
            self.failures.append(f'{self.paths[index]} ({error})')
            return None

    def existing(self, pictures: Iterable[Any]) -> Iterator[Any]:
        """Leaves out the images that could not be read."""
        return (picture for picture in pictures if picture is not None)

    def explain(self, done: int) -> str:
        """Describes the failures when ``done`` images have gone well."""
        return (
            f'{len(self.failures)} of {len(self)} files could not be read: '
            f'{first_few(sorted(self.failures))}'
        )

    def write(self, folder: str, index: int, picture: np.ndarray) -> None:
        """Writes a picture of an image, BGR, under its name."""
        name = self.names[index]
        if not name.lower().endswith(('.jpg', '.jpeg', '.png')):
            name += '.jpg'
        mmcv.imwrite(picture, osp.join(folder, name))

    def close(self) -> None:
        """Does nothing: each picture is a file."""


class Video:
    """The frames of a video in their order.

    Attributes:
        failures (list[str]): The path, if the video has ended early.
    """

    unit = 'frame'
    workers = 1

    def __init__(self, path: str) -> None:
        self.path = path
        self.reader = mmcv.VideoReader(path)
        if not self.reader.opened or self.reader.frame_cnt < 1:
            raise UserError(f'{path} has no frames, or is no video that OpenCV reads')
        self.writer: cv2.VideoWriter | None = None
        self.failures: list[str] = []

    def __len__(self) -> int:
        return self.reader.frame_cnt

    def indices(self) -> Iterable[int]:
        """Counts the frames without an end: the file's count may be wrong."""
        return itertools.count()

    def name(self, index: int) -> str:
        """Returns the name of a frame in the results."""
        return f'{osp.basename(self.path)}/{index:06d}'

    def read(self, index: int, read: Callable[[str], np.ndarray]) -> np.ndarray | None:
        """Reads the next frame; after the last one gives None.

        It has ended early if more than one frame is missing: some formats store no
        count, and OpenCV's estimate may be one too many.
        """
        frame = self.reader.read()
        if frame is None and index < len(self) - 1 and not self.failures:
            self.failures.append(self.path)
        return frame

    def existing(self, pictures: Iterable[Any]) -> Iterator[Any]:
        """Ends when the video does."""
        return itertools.takewhile(lambda picture: picture is not None, pictures)

    def explain(self, done: int) -> str:
        """Describes a video that has ended after ``done`` frames."""
        return f'{self.path} ends after {done} of its {len(self)} frames'

    def write(self, folder: str, index: int, picture: np.ndarray) -> None:
        """Writes the next frame of the video that is drawn, BGR."""
        if self.writer is None:
            os.makedirs(folder, exist_ok=True)
            name, _ = osp.splitext(osp.basename(self.path))
            self.writer = cv2.VideoWriter(
                osp.join(folder, f'{name}.mp4'),
                cv2.VideoWriter.fourcc(*'mp4v'),
                self.reader.fps or 25.0,
                picture.shape[1::-1],
            )
        self.writer.write(picture)

    def close(self) -> None:
        """Ends the video that was drawn."""
        if self.writer is not None:
            self.writer.release()
