import os
import os.path as osp
import sys
from collections.abc import Sequence

import cv2
import mmcv
import numpy as np
from mmdet.visualization.palette import get_palette
from tqdm import tqdm

from ..engine import has_bfloat16
from ..errors import UserError
from ..visualization import draw_detections
from .inferencer import Inferencer
from .pipeline import Picture, run_pipeline
from .results import IMAGES, PREDICTIONS, CocoResults
from .slicing import Slicer
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
    if osp.lexists(out) and not (osp.isdir(out) and not os.listdir(out)):
        raise UserError(f'{out} exists: give another folder, or remove it')
    slicer = None if slices is None else Slicer(slices, score)
    source = open_source([inputs] if isinstance(inputs, str) else inputs)
    inferencer = Inferencer(config, checkpoint, device, amp)
    if amp and inferencer.device_type == 'cpu' and not has_bfloat16():
        print('This CPU has no bfloat16: amp may be slower here.', file=sys.stderr)
    classes = inferencer.model.dataset_meta['classes']
    results = CocoResults(inferencer.cfg, classes, source)
    os.makedirs(out, exist_ok=True)
    detect_and_draw(inferencer, source, results, out, score, batch_size, slicer, draw)
    results.write(out)
    if source.failures:
        done = len(results.images)
        raise UserError(
            f'{source.explain(done)}; the results of {_count(done, source.unit)} are '
            f'in {out}'
        )
    return _summary(results, out, score, draw)


def detect_and_draw(
    inferencer: Inferencer,
    source: Images | Video,
    results: CocoResults,
    out: str,
    score: float = 0.3,
    batch_size: int = 1,
    slicer: Slicer | None = None,
    draw: bool = True,
) -> None:
    """Goes through a source with a progress bar, collects the results and draws.

    Args:
        inferencer (Inferencer): The detector.
        source (Images | Video): The images.
        results (CocoResults): Gets what was found.
        out (str): The folder of the pictures' folder.
        score (float): Lowest score of a detection that is drawn.
        batch_size (int): Images that the detector gets at once.
        slicer (Slicer, optional): Cuts images.
        draw (bool): Whether to draw.
    """
    meta = inferencer.model.dataset_meta
    colors = get_palette(meta.get('palette', 'random'), len(meta['classes']))
    artist = _Artist(source, osp.join(out, PICTURES))

    def finish(picture: Picture) -> tuple[int, dict, int, int]:
        height, width = picture.image.shape[:2]
        parts = [inferencer.pred2dict(sample) for sample in picture.samples]
        found = parts[0]
        if slicer:
            found = slicer.merge(parts, picture.windows, (height, width))
        if draw:
            artist.write(
                picture.index,
                draw_detections(picture.image, found, meta['classes'], colors, score),
            )
        return picture.index, found, height, width

    try:
        with tqdm(total=len(source), unit=source.unit) as progress:
            for finished in run_pipeline(
                inferencer, source, batch_size, slicer, finish
            ):
                results.add(*finished)
                progress.update()
    finally:
        artist.close()


class _Artist:
    """Writes what was drawn, as images or as a video."""

    def __init__(self, source: Images | Video, folder: str) -> None:
        self.source = source
        self.folder = folder
        self.video: cv2.VideoWriter | None = None

    def write(self, index: int, picture: np.ndarray) -> None:
        if self.source.video:
            self._write_frame(self.source.video, picture)
            return
        name = self.source.name(index)
        if not name.lower().endswith(('.jpg', '.jpeg', '.png')):
            name += '.jpg'
        mmcv.imwrite(picture, osp.join(self.folder, name))

    def _write_frame(self, source: Video, picture: np.ndarray) -> None:
        if self.video is None:
            os.makedirs(self.folder, exist_ok=True)
            name, _ = osp.splitext(osp.basename(source.path))
            self.video = cv2.VideoWriter(
                osp.join(self.folder, f'{name}.mp4'),
                cv2.VideoWriter.fourcc(*'mp4v'),
                source.frames_per_second,
                picture.shape[1::-1],
            )
        self.video.write(picture)

    def close(self) -> None:
        if self.video is not None:
            self.video.release()


def _summary(results: CocoResults, out: str, score: float, draw: bool) -> str:
    sure = sum(found['score'] >= score for found in results.detections)
    text = (
        f'{_count(sure, "object")} with a score of at least {score:g} in '
        f'{_count(len(results.images), results.source.unit)}; '
        f'{len(results.detections)} of any score.\n'
        f'{osp.join(out, PREDICTIONS)}: all of them; the category ids are '
        f'{results.origin}.\n'
        f'{osp.join(out, IMAGES)}: the images and the categories.'
    )
    return text + (f'\n{osp.join(out, PICTURES)}: the pictures.' if draw else '')


def _count(number: int, unit: str) -> str:
    return f'{number} {unit}{"" if number == 1 else "s"}'
