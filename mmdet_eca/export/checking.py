"""An exported detector beside the one that it was exported from."""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mmcv
import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_overlaps
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from tqdm import tqdm

from ..errors import UserError
from ..training.config import innermost_datasets
from .detectors import ExportableDetector
from .onnx_detector import OnnxDetector

# More would be another result, not the same one in another order of sums.
MAX_BOX_DIFFERENCE = 0.1  # pixels of the image
MAX_SCORE_DIFFERENCE = 1e-3
MIN_MASK_IOU = 0.9  # a pixel of a small mask may be on the threshold
# Overlaps and scores that are equal up to rounding decide some suppressions otherwise:
# of few detections one, by which each has one that the other has not.
MAX_UNMATCHED, MAX_UNMATCHED_OF_FEW = 0.02, 0.1
# How many images are timed, and how often.
TIMED_IMAGES, ROUNDS = 20, 3


@dataclass
class Checked:
    """The differences between two detectors, and the time that each takes.

    Attributes:
        images (int): Number of images.
        detections (int): Number of torch's detections.
        unmatched (int): Detections that only one of both has.
        boxes (float): The largest difference of a coordinate, in pixels.
        scores (float): The largest difference of a score.
        mask_iou (float, optional): The smallest overlap of a mask with the other
            one's, if there are masks.
        torch_ms (float): Median time of an image with torch, in milliseconds.
        onnx_ms (float): The same with onnxruntime.
        threads (int): Number of threads of each.
    """

    images: int = 0
    detections: int = 0
    unmatched: int = 0
    boxes: float = 0.0
    scores: float = 0.0
    mask_iou: float | None = None
    torch_ms: float = 0.0
    onnx_ms: float = 0.0
    threads: int = 1

    def agrees(self) -> bool:
        """Whether the differences are those of rounding."""
        few = min(2, MAX_UNMATCHED_OF_FEW * self.detections)
        return (
            self.boxes <= MAX_BOX_DIFFERENCE
            and self.scores <= MAX_SCORE_DIFFERENCE
            and (self.mask_iou is None or self.mask_iou >= MIN_MASK_IOU)
            and self.unmatched <= max(few, MAX_UNMATCHED * self.detections)
        )

    def differences(self) -> str:
        """Describes the largest differences in one line."""
        masks = ''
        if self.mask_iou is not None:
            masks = f'smallest IoU of masks {self.mask_iou:.4f}, '
        return (
            f'boxes {self.boxes:.2g} px, scores {self.scores:.2g}, {masks}'
            f'{self.unmatched} found by only one'
        )


def check(
    module: ExportableDetector, detector: OnnxDetector, paths: Sequence[str]
) -> Checked:
    """Compares the results of both on images, and measures both beside each other.

    Args:
        module (ExportableDetector): The detector in torch.
        detector (OnnxDetector): The same, exported.
        paths (Sequence[str]): Images; random ones of two sizes, if there are none.

    Raises:
        UserError: If an image cannot be read, or the results differ by more than
            rounding; the message has the largest differences.
    """
    model, flag = module.model, 'color' if module.channels == 3 else 'grayscale'
    steps = [s for s in test_pipeline(model.cfg)[1:] if s.type != 'LoadAnnotations']
    pipeline = Compose([dict(type='mmdet.LoadImageFromNDArray'), *steps])
    checked, times = Checked(threads=torch.get_num_threads()), []
    images = (_read(path, flag) for path in paths)
    for pixels in tqdm(
        images if paths else _random_images(module.channels),
        'compared with torch',
        len(paths) or 2,
        unit='image',
    ):
        data = pseudo_collate([pipeline(dict(img=pixels, img_id=0))])
        ours, theirs = (_detect(each, data)[0] for each in (model, detector))
        threshold = detector.metadata['score_threshold']
        compare(ours.pred_instances, theirs.pred_instances, checked, threshold)
        for _ in range(ROUNDS if checked.images <= TIMED_IMAGES else 0):
            start = time.perf_counter()
            _detect(model, data)
            middle = time.perf_counter()
            _detect(detector, data)
            times.append((middle - start, time.perf_counter() - middle))
    checked.torch_ms, checked.onnx_ms = 1000 * np.median(times, axis=0)
    if not checked.agrees():
        raise UserError(
            'onnxruntime does not find what torch finds, so nothing is written; '
            f'largest differences: {checked.differences()}, of {checked.detections} '
            f'detections in {checked.images} images'
        )
    return checked


def compare(
    ours: InstanceData, theirs: InstanceData, checked: Checked, score_threshold: float
) -> None:
    """Adds the differences between two results on one image.

    Args:
        ours (InstanceData): torch's ``pred_instances``.
        theirs (InstanceData): onnxruntime's.
        checked (Checked): Gets the differences.
        score_threshold (float): Detections this near to it may be of only one.
    """
    checked.images += 1
    checked.detections += len(ours)
    left = torch.ones(len(theirs), dtype=torch.bool)
    alone = []
    for i, score in enumerate(ours.scores):
        overlaps = bbox_overlaps(ours.bboxes[i : i + 1], theirs.bboxes)[0]
        overlaps[~left | (theirs.labels != ours.labels[i])] = -1
        # Two of the same place differ in their scores.
        near = overlaps > 0.9
        if not near.any():
            alone.append(score)
            continue
        far = (theirs.scores - score).abs().masked_fill(~near, torch.inf)
        j = int(far.argmin())
        left[j] = False
        box = (ours.bboxes[i] - theirs.bboxes[j]).abs().max().item()
        checked.boxes = max(checked.boxes, box)
        checked.scores = max(checked.scores, far[j].item())
        if 'masks' in ours:
            iou = _mask_iou(ours.masks[i], theirs.masks[j])
            known = 1.0 if checked.mask_iou is None else checked.mask_iou
            checked.mask_iou = min(iou, known)
    # The lowest that is returned: of equal ones each may take another.
    lowest = score_threshold
    if len(ours) and len(ours) == len(theirs):
        lowest = max(lowest, ours.scores.min().item())
    checked.unmatched += sum(
        float(score) > lowest + MAX_SCORE_DIFFERENCE
        for score in [*alone, *theirs.scores[left]]
    )


def _mask_iou(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    union = int((ours | theirs).sum())
    return int((ours & theirs).sum()) / union if union else 1.0


@torch.no_grad()
def _detect(detector: Any, data: dict) -> list[DetDataSample]:
    samples = [sample.clone() for sample in data['data_samples']]
    found: list[DetDataSample] = detector.test_step(dict(data, data_samples=samples))
    return found


def evaluate(
    model: BaseDetector, detector: OnnxDetector
) -> dict[str, tuple[float, float]]:
    """Evaluates both on the data that the config tests on, image by image.

    In a batch, images of other sizes would be padded to the largest, which changes
    their results a little.

    Returns:
        dict[str, tuple[float, float]]: Each metric with torch and with onnxruntime.
    """
    cfg = copy.deepcopy(model.cfg)
    cfg.test_dataloader.batch_size = 1
    loader = Runner.build_dataloader(cfg.test_dataloader)
    both = (model, detector)
    evaluators = [Evaluator(copy.deepcopy(cfg.test_evaluator)) for _ in both]
    for evaluator in evaluators:
        evaluator.dataset_meta = loader.dataset.metainfo
    for data in tqdm(loader, 'evaluated', unit='image'):
        for each, evaluator in zip(both, evaluators):
            evaluator.process(data_samples=_detect(each, data), data_batch=data)
    ours, theirs = (one.evaluate(len(loader.dataset)) for one in evaluators)
    return {name: (ours[name], theirs[name]) for name in ours}


def test_pipeline(cfg: Config) -> list[Config]:
    """Returns the pipeline of the data set for tests, or else for validation.

    Raises:
        UserError: If the config has neither.
    """
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader')
    if loader is None:
        raise UserError(
            'the config has no test_dataloader, whose pipeline prepares the images'
        )
    pipeline: list[Config] = next(innermost_datasets(loader.dataset))['pipeline']
    return pipeline


def _read(path: str, flag: str) -> np.ndarray:
    pixels = mmcv.imread(path, flag)
    if pixels is None:
        raise UserError(f'{path} is no image that can be read: leave it out')
    return pixels


def _random_images(channels: int) -> list[np.ndarray]:
    """Draws coarse patterns, upright and across: shapes more than noise."""
    random = np.random.default_rng(0)
    return [
        mmcv.imresize(random.integers(0, 256, (*cells, channels), dtype=np.uint8), size)
        for cells, size in (((12, 16), (640, 480)), ((16, 11), (427, 640)))
    ]
