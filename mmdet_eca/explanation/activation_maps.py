"""Class-activation maps of single detections, by the package grad-cam."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

import mmcv
import numpy as np
import torch
from mmdet.models.dense_heads import base_dense_head
from mmdet.models.detectors import BaseDetector
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..dependencies import require
from ..errors import UserError
from .inputs import found_in

# Those of grad-cam's methods that need a gradient at one map, and nothing else. All but
# the last multiply each place by its own gradient. GradCAM takes the mean gradient of
# the map: right for a whole image, but it lights up places that the head has not read
# for the detection.
METHODS = ('GradCAMElementWise', 'HiResCAM', 'LayerCAM', 'GradCAM')


class ActivationMap(NamedTuple):
    """The places that raised a detection's score.

    Attributes:
        heat (np.ndarray): 0 to 1, of the size (H, W) of the image file; 0 everywhere
            if nothing on the map raises the score.
        level (int): Number of the feature map, from 0, that the head has read.
        inside (float): Share of the heat within the detection's box; NaN without heat.
    """

    heat: np.ndarray
    level: int
    inside: float


def activation_maps(
    detector: BaseDetector, data: dict, number: int, method: str
) -> tuple[InstanceData, list[ActivationMap]]:
    """Explains the detections with the highest scores in an image.

    A map belongs to the neck's output which the detection comes from. It explains the
    logit of the score, computed by the detector's own prediction from these outputs: in
    a two-stage detector by its second stage on the fixed proposal, in a one-stage
    detector at the location that the detection comes from.

    Args:
        detector (BaseDetector): In evaluation mode.
        data (dict): An image, from the detector's test pipeline.
        number (int): How many detections, or all if there are fewer.
        method (str): One of ``METHODS``, a class of grad-cam.

    Returns:
        tuple[InstanceData, list[ActivationMap]]: The detections and their maps.

    Raises:
        UserError: If grad-cam cannot be imported, or the detector's scores have no
            gradient.
    """
    cam_class = require_grad_cam(method)
    batch = detector.data_preprocessor(pseudo_collate([data]), False)
    scores = _Scores(detector, batch)
    maps = []
    for index in range(min(number, len(scores.found))):
        scores.watch(index)
        cam = cam_class(model=scores, target_layers=[scores.watched])
        try:
            (heat,) = cam(batch['inputs'], targets=[lambda out, i=index: out[i]])
        finally:
            cam.activations_and_grads.release()
        maps.append(_on_the_image(heat, scores, index))
    detector.zero_grad()
    return scores.found, maps


def require_grad_cam(method: str) -> type:
    """Returns a class of the package grad-cam.

    Raises:
        UserError: If the package is not installed, or does not run here.
    """
    # pip then chooses the torchvision that fits; PyPI's has no form for the CPU.
    index = '' if torch.version.cuda else ', with the index that torch came from'
    remedy = (
        f'pip install grad-cam torch=={torch.__version__.partition("+")[0]}{index}, '
        'for the torchvision that fits; or leave the maps out: --show gates'
    )
    package = require('pytorch_grad_cam', 'explain', remedy=remedy)
    cam_class: type = getattr(package, method)
    return cam_class


class _Scores(nn.Module):
    """Computes the logits of a detector's scores from one of its feature maps.

    Args:
        detector (BaseDetector): The detector.
        batch (dict): One image, after the data preprocessor.
    """

    def __init__(self, detector: BaseDetector, batch: dict) -> None:
        super().__init__()
        self.detector = detector
        self.samples = batch['data_samples']
        self.watched = nn.Identity()  # grad-cam looks at what passes here
        self.level = 0
        with torch.no_grad():
            self.features = [f.detach() for f in detector.extract_feat(batch['inputs'])]
            self.found = found_in(self._predict(self.features))

    def watch(self, index: int) -> None:
        """Watches the feature map that a detection's score depends on most.

        Raises:
            UserError: If it depends on none.
        """
        features = [feature.clone().requires_grad_() for feature in self.features]
        (logits,) = self._logits(features)
        gradients: Sequence[Any] = [None]
        if logits.requires_grad:
            gradients = torch.autograd.grad(logits[index], features, allow_unused=True)
        if all(gradient is None for gradient in gradients):
            raise UserError(
                f'the scores of this {type(self.detector).__name__} have no gradient '
                'at its feature maps, so there is no class-activation map'
            )
        sums = [0.0 if g is None else float(g.abs().sum()) for g in gradients]
        self.level = int(np.argmax(sums))

    def forward(self, image: Tensor) -> Tensor:
        """Returns the logits of the scores, shape (1, n), of the same image."""
        features = [feature.clone() for feature in self.features]
        features[self.level] = self.watched(features[self.level].requires_grad_())
        return self._logits(features)

    def _logits(self, features: Sequence[Tensor]) -> Tensor:
        # Not the scores: near 1 their gradient vanishes. At 1 itself so does this.
        scores: Tensor = self._predict(features).scores
        return scores.logit(eps=1e-7)[None]

    def _predict(self, features: Sequence[Tensor]) -> Any:
        with _given_features(self.detector, tuple(features)):
            (sample,) = self.detector.predict(None, self.samples)
        return sample.pred_instances


@contextmanager
def _given_features(detector: BaseDetector, features: tuple) -> Iterator[None]:
    """Lets a detector predict from these feature maps, with their gradients."""
    select = base_dense_head.select_single_mlvl

    def keep_gradients(maps: Any, image: int, detach: bool = True) -> Any:
        # The proposals of a first stage stay what they are, without a gradient.
        return select(maps, image, detach and not hasattr(detector, 'bbox_head'))

    with (
        mock.patch.object(detector, 'extract_feat', return_value=features),
        mock.patch.object(base_dense_head, 'select_single_mlvl', keep_gradients),
    ):
        yield


def _on_the_image(heat: np.ndarray, scores: _Scores, index: int) -> ActivationMap:
    """Takes a map of the padded input (H, W) to the image file's size."""
    metainfo = scores.samples[0].metainfo
    height, width = metainfo['img_shape'][:2]
    heat = heat[:height, :width]
    height, width = metainfo['ori_shape'][:2]
    heat = mmcv.imresize(heat, (width, height))
    if heat.max() > 0:
        heat = heat / heat.max()
    x1, y1, x2, y2 = scores.found.bboxes[index].round().astype(int).clip(0)
    total = heat.sum()
    inside = float(heat[y1:y2, x1:x2].sum() / total) if total > 0 else float('nan')
    return ActivationMap(heat, scores.level, inside)
