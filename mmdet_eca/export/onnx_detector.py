"""An exported detector in onnxruntime, with the interface of MMDetection's."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from ..dependencies import require
from ..errors import UserError


class OnnxDetector:
    """Runs a file that :func:`export_detector` has written, on the CPU.

    Args:
        path (str): The file.
        threads (int, optional): How many onnxruntime uses, by default as many as
            torch does.

    Attributes:
        metadata (dict): Its description, see :func:`describe`.

    Raises:
        UserError: If onnxruntime is not installed, or the file is none of ours.
    """

    def __init__(self, path: str, threads: int | None = None) -> None:
        onnxruntime = require('onnxruntime', 'export')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=['CPUExecutionProvider']
            )
        except Exception as error:  # onnxruntime's own, of many kinds
            reason = str(error).splitlines()[0]
            raise UserError(f'onnxruntime does not read {path}: {reason}') from None
        properties = self._session.get_modelmeta().custom_metadata_map
        if 'mmdet_eca' not in properties:
            raise UserError(f'{path} was not written by mmdet-eca export')
        self.metadata: Mapping[str, Any] = {
            name: json.loads(value) for name, value in properties.items()
        }

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the detections in one image: the outputs by their names.

        Args:
            image (ndarray): Normalised, of shape (1, C, H, W), or raw uint8 of shape
                (H, W, C), see ``metadata['input']``.
        """
        names = [output.name for output in self._session.get_outputs()]
        return dict(zip(names, self._session.run(None, {'image': image})))

    def test_step(self, data: dict) -> list[DetDataSample]:
        """Detects like ``model.test_step`` of a detector of MMDetection.

        Args:
            data (dict): ``inputs``, uint8 images of shape (3, H, W), and
                ``data_samples``, as MMDetection's test pipelines pack them.

        Returns:
            list[DetDataSample]: With ``pred_instances`` in pixels of the images
            before they were resized.
        """
        return [
            self._detect(image, sample)
            for image, sample in zip(data['inputs'], data['data_samples'])
        ]

    def _detect(self, image: Tensor, sample: DetDataSample) -> DetDataSample:
        found = self(self._prepare(image.permute(1, 2, 0).numpy()))
        boxes = torch.from_numpy(found['boxes'])
        boxes = boxes / boxes.new_tensor(sample.scale_factor).repeat(2)
        instances = InstanceData(
            bboxes=boxes,
            scores=torch.from_numpy(found['scores']),
            labels=torch.from_numpy(found['labels']),
        )
        if 'masks' in found:
            threshold = self.metadata['mask_threshold']
            masks = torch.from_numpy(found['masks'])
            instances.masks = paste_masks(masks, boxes, sample.ori_shape, threshold)
        sample = sample.clone()
        sample.pred_instances = instances
        return sample

    def _prepare(self, image: np.ndarray) -> np.ndarray:
        if self.metadata['input'] == 'raw':
            return np.ascontiguousarray(image)
        return normalise(image, self.metadata)


def normalise(image: np.ndarray, metadata: Mapping[str, Any]) -> np.ndarray:
    """Returns the normalised input of an exported detector.

    Args:
        image (ndarray): BGR or grey, uint8, of shape (H, W, C).
        metadata (dict): The file's, with ``channels``, ``mean`` and ``std``.

    Returns:
        ndarray: float32 of shape (1, C, H, W).
    """
    if metadata['channels'] == 'RGB':
        image = image[..., ::-1]
    mean, std = (np.float32(metadata[name]) for name in ('mean', 'std'))
    return np.ascontiguousarray(((image - mean) / std).transpose(2, 0, 1)[None])


def paste_masks(
    masks: Tensor, boxes: Tensor, size: tuple[int, int], threshold: float = 0.5
) -> Tensor:
    """Pastes masks of boxes into the image, as MMDetection's ``FCNMaskHead`` does.

    Args:
        masks (Tensor): The probabilities in each box, of shape (D, h, w).
        boxes (Tensor): Corners x1, y1, x2, y2 in pixels, of shape (D, 4).
        size (tuple): Height and width of the image in pixels.
        threshold (float): The probability from which on a pixel belongs to the
            object.

    Returns:
        Tensor: Booleans of shape (D, *size).
    """
    height, width = size[:2]
    pasted = torch.zeros(len(masks), height, width, dtype=torch.bool)
    for image, mask, (x1, y1, x2, y2) in zip(pasted, masks, boxes.tolist()):
        top, rows = _resampling(y1, y2, mask.shape[0], height)
        left, columns = _resampling(x1, x2, mask.shape[1], width)
        part = image[top : top + len(rows), left : left + len(columns)]
        part.copy_(rows @ mask @ columns.T >= threshold)
    return pasted


def _resampling(
    start: float, end: float, cells: int, length: int
) -> tuple[int, Tensor]:
    """Returns the first pixel near a side, and bilinear weights (pixels, cells).

    Outside of the box the mask is 0.
    """
    first, last = max(int(start) - 1, 0), min(int(end) + 2, length)
    pixels = torch.arange(first, max(first, last)) + 0.5
    places = (pixels - start) / (end - start) * cells if end > start else pixels + cells
    weights = 1 - (places[:, None] - torch.arange(cells) - 0.5).abs()
    return first, weights.clamp(min=0)
