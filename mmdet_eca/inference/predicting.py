import itertools
import os
import os.path as osp
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mmdet.structures import DetDataSample
from mmdet.visualization.palette import get_palette
from tqdm import tqdm

from ..errors import UserError
from ..training.mixed_precision import has_bfloat16
from ..training.outputs import check_new_folder
from ..visualization import draw_detections
from .coco_results import IMAGES, PREDICTIONS, CocoResults
from .inferencer import Inferencer
from .slices import Slicer, Window
from .sources import Images, Video, open_source

PICTURES = 'vis'  # the folder that MMDetection's inferencer draws into


def predict(
    config: str,
    checkpoint: str,
    inputs: str | Sequence[str],
    out: str = 'work_dirs/predict',
    score: float = 0.3,
    device: str | None = None,
    batch_size: int = 1,
    amp: bool = False,
    slices: int | None = None,
    draw: bool = True,
    labels: bool = True,
    cfg_options: dict | None = None,
) -> str:
    """Detects objects in images or in a video, and writes and draws what it finds.

    ``out`` gets ``predictions.json``, all detections in COCO's format of results;
    ``images.json``, the images and categories that they belong to; and pictures, or
    a video, in ``vis/``. Scores are between 0 and 1.

    Args:
        config (str): The detector's config, a file or one of this package.
        checkpoint (str): Its weights.
        inputs (str | Sequence[str]): Images, folders, patterns such as
            'photos/*.jpg', or one video.
        out (str): A folder that does not exist yet, or is empty.
        score (float): Lowest score of a detection that is drawn; with slices, that
            is written, too.
        device (str, optional): 'cpu', 'cuda:0' and so on; by default the GPU, if
            there is one.
        batch_size (int): Images that the detector gets at once. Images of several
            sizes are padded to one, which changes the results a little.
        amp (bool): Whether the network runs in half precision: float16 on a GPU,
            bfloat16 on a CPU.
        slices (int, optional): Side in pixels of squares into which images are cut
            for small objects. The detector sees each of them, and the whole image.
        draw (bool): Whether to draw.
        labels (bool): Whether to draw names and scores.
        cfg_options (dict, optional): Settings of the config to change.

    Returns:
        str: What was found and written.

    Raises:
        UserError: If an argument does not fit, or files are missing or of another
            detector; nothing is written then. If some of the images cannot be read,
            or a video ends early, it comes at the end: the results of the others
            are there, and the message names those that are not.
    """
    if not 0 <= score <= 1:
        raise UserError(f'score must be between 0 and 1, got {score}')
    if batch_size < 1:
        raise UserError(f'batch_size must be at least 1, got {batch_size}')
    check_new_folder(out)
    slicer = None if slices is None else Slicer(slices, score)
    source = open_source([inputs] if isinstance(inputs, str) else inputs)
    inferencer = Inferencer(config, checkpoint, device, amp, cfg_options)
    if amp and inferencer.device_type == 'cpu' and not has_bfloat16():
        print('This CPU has no bfloat16: amp may be slower here.', file=sys.stderr)
    meta = inferencer.model.dataset_meta
    classes = meta['classes']
    palette = meta.get('palette') or 'random'
    if isinstance(palette, (list, tuple)) and len(palette) < len(classes):
        palette = 'random'  # COCO's, which a data set keeps that states none
    colors = get_palette(palette, len(classes))
    results = CocoResults(inferencer.cfg, classes, source)
    os.makedirs(out, exist_ok=True)

    def finish(picture: _Picture) -> tuple[int, dict, int, int]:
        height, width = picture.image.shape[:2]
        parts = [inferencer.pred2dict(sample) for sample in picture.samples]
        found = parts[0]
        if slicer:
            found = slicer.merge(parts, picture.windows, (height, width))
        if draw:
            drawn = draw_detections(
                picture.image, found, classes, colors, score, labels
            )
            source.write(osp.join(out, PICTURES), picture.index, drawn)
        return picture.index, found, height, width

    interrupted = False
    try:
        with tqdm(total=len(source), unit=source.unit) as progress:
            for done in _run(inferencer, source, batch_size, slicer, finish):
                results.add(*done)
                progress.update()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        source.close()
    results.write(out)
    number = _count(len(results.images), source.unit)
    if interrupted:
        raise UserError(f'interrupted; the results of {number} are in {out}')
    if source.failures:
        reason = source.explain(len(results.images))
        raise UserError(f'{reason}; the results of {number} are in {out}')
    sure = sum(found['score'] >= score for found in results.detections)
    text = (
        f'{_count(sure, "object")} with a score of at least {score:g} in {number}; '
        f'{len(results.detections)} of any score.\n'
        f'{osp.join(out, PREDICTIONS)}: all of them; the category ids are '
        f'{results.origin}.\n'
        f'{osp.join(out, IMAGES)}: the images and the categories.'
    )
    return text + (f'\n{osp.join(out, PICTURES)}: the pictures.' if draw else '')


def _count(number: int, unit: str) -> str:
    return f'{number} {unit}{"" if number == 1 else "s"}'


@dataclass
class _Picture:
    """An image (H, W, 3) with the windows that the detector sees, and their results."""

    index: int
    image: np.ndarray
    windows: list[Window]
    inputs: list[dict]
    samples: list[DetDataSample] = field(default_factory=list)


def _run(
    inferencer: Inferencer,
    source: Images | Video,
    batch_size: int,
    slicer: Slicer | None,
    finish: Callable[[_Picture], Any],
) -> Iterator[Any]:
    """Reads, detects and finishes at the same time, in the order of the source.

    The network runs in the thread that iterates; other threads read the next images
    and finish the last ones, mostly in C, which leaves Python to others meanwhile.
    """

    def prepare(index: int) -> _Picture | None:
        image = source.read(index, inferencer.read)
        if image is None:
            return None
        height, width = image.shape[:2]
        windows = slicer.cut(image) if slicer else [(0, 0, width, height)]
        parts = (image[top:bottom, left:right] for left, top, right, bottom in windows)
        return _Picture(index, image, windows, [*map(inferencer.pipeline, parts)])

    with (
        ThreadPoolExecutor(source.workers) as readers,
        ThreadPoolExecutor(source.workers) as writers,
    ):
        depth = 4 * source.workers
        pictures = _ahead(readers, prepare, source.indices(), depth)
        detected = _detect(inferencer, source.existing(pictures), batch_size)
        yield from _ahead(writers, finish, detected, depth)


def _ahead(
    pool: Executor, function: Callable, inputs: Iterable, depth: int
) -> Iterator[Any]:
    """Maps in other threads, and takes the inputs only as they are needed.

    ``Executor.map`` takes all of them at once.
    """
    pending: deque = deque()
    interruption = None
    try:
        for item in inputs:
            pending.append(pool.submit(function, item))
            if len(pending) > depth:
                yield pending.popleft().result()
    except KeyboardInterrupt as error:  # what has begun is finished, and no more
        interruption = error
    while pending:
        yield pending.popleft().result()
    if interruption is not None:
        raise interruption


def _detect(
    inferencer: Inferencer, pictures: Iterable[_Picture], batch_size: int
) -> Iterator[_Picture]:
    """Yields each picture when the detector has seen all of its windows."""
    windows = ((p, inputs) for p in pictures for inputs in p.inputs)
    while batch := list(itertools.islice(windows, batch_size)):
        samples = inferencer.detect([inputs for _, inputs in batch])
        for (picture, _), sample in zip(batch, samples):
            picture.samples.append(sample)
            if len(picture.samples) == len(picture.windows):
                picture.inputs = []
                yield picture
