"""A training step and inference of a model, to be measured."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.testing import demo_mm_inputs
from torch import Tensor, nn

from ..training.mixed_precision import use_mixed_precision

# Of the loss in float16. Small, so that nothing overflows: the optimizer would leave
# out such a step.
SCALE = 128.0
MEASURES = ('training step', 'inference, whole batch', 'inference, one image')


class Batch(NamedTuple):
    """The inputs of a model.

    Attributes:
        images (Tensor): Shape (N, 3, H, W).
        samples (list[DetDataSample] | Tensor, optional): The objects in them, for
            a detector; their labels, shape (N,), for a classifier.
    """

    images: Tensor
    samples: list | Tensor | None = None

    def one(self) -> 'Batch':
        """The batch of the first image."""
        return Batch(
            self.images[:1], None if self.samples is None else self.samples[:1]
        )


def make_batch(model: nn.Module, images: Tensor) -> Batch:
    """The images with random objects or labels, as the model needs them.

    Args:
        model (nn.Module): A detector, a classifier or a backbone.
        images (Tensor): Shape (N, 3, H, W).
    """
    if isinstance(model, BaseDetector):
        counts = [m.num_classes for m in model.modules() if hasattr(m, 'num_classes')]
        return Batch(images, make_samples(images, min(counts, default=1)))
    head: Any = getattr(model, 'fc', None)  # a classifier's
    if head is not None:
        labels = torch.randint(head.out_features, (len(images),))
        return Batch(images, labels.to(images.device))
    return Batch(images)


def make_samples(images: Tensor, num_classes: int = 10) -> list:
    """Eight random objects with masks in every image.

    Args:
        images (Tensor): Shape (N, 3, H, W).
        num_classes (int): Number of classes of the objects.

    Returns:
        list[DetDataSample]: A sample an image.
    """
    n, channels, *size = images.shape
    samples = demo_mm_inputs(
        n, (channels, *size), num_items=[8] * n, with_mask=True, device=images.device
    )['data_samples']
    for sample in samples:
        sample.gt_instances.labels %= num_classes
        sample.set_metainfo(dict(batch_input_shape=tuple(size), pad_shape=tuple(size)))
    return samples


class Step:
    """Runs the model of a row.

    Args:
        model (nn.Module): A detector, a classifier or a backbone.
        amp (torch.dtype, optional): The data type of autocast. The loss is scaled
            in float16. On a CPU it is on in a detector's networks only, see
            :func:`use_mixed_precision`: mmcv's operators take no bfloat16 there.
        updates (bool): Whether a training step ends with that of the optimizer:
            SGD with momentum and weight decay. Its learning rate is 0, which
            takes as long, and the weights stay those of the start.
    """

    def __init__(
        self, model: nn.Module, amp: torch.dtype | None = None, updates: bool = False
    ) -> None:
        self.model: Any = model
        self.has_losses = hasattr(model, 'parse_losses')
        self.amp = amp
        self.updates = updates
        self.device = next(model.parameters()).device
        self.scaler = _grad_scaler(self.device) if amp == torch.float16 else None
        self.optimizer = torch.optim.SGD(
            model.parameters(), lr=0.0, momentum=0.9, weight_decay=1e-4
        )
        is_detector = isinstance(model, BaseDetector)
        if amp == torch.bfloat16 and is_detector and self.device.type == 'cpu':
            use_mixed_precision(model)
            self.amp = None

    def prepare(self, measure: str, batch: Batch) -> Callable:
        """Sets the model's mode, and returns the call that is measured.

        Args:
            measure (str): One of ``MEASURES``.
            batch (Batch): The images.
        """
        if measure == 'training step':
            self.model.train()
            return lambda: self.train(batch)
        self.model.eval()
        if measure == 'inference, one image':
            batch = batch.one()
        return lambda: self.infer(batch)

    def train(self, batch: Batch) -> None:
        """Computes the gradients, ready for the optimizer, and lets it use them."""
        loss = self.loss(batch)
        if self.scaler is None:
            loss.backward()
            if self.updates:
                self.optimizer.step()
            return
        self.scaler.scale(loss).backward()
        if self.updates:
            self.scaler.step(self.optimizer)
        else:
            self.scaler.unscale_(self.optimizer)
        self.scaler.update()

    def loss(self, batch: Batch) -> Tensor:
        """The model's own loss; of a backbone, the sum of the maps' means."""
        self.model.zero_grad()
        with self._autocast():
            if not self.has_losses:
                # Means, whose own backward pass would copy the gradient.
                return sum(
                    out.sum(dtype=torch.float32) / out.numel()
                    for out in self.model(batch.images)
                )
            torch.manual_seed(0)  # the samplers'
            losses = self.model(*batch, mode='loss')
            return self.model.parse_losses(losses)[0]

    @torch.no_grad()
    def infer(self, batch: Batch) -> Any:
        """The outputs without post-processing."""
        with self._autocast():
            if not self.has_losses:
                return self.model(batch.images)
            return self.model(*batch, mode='tensor')

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.amp, enabled=self.amp is not None)


def _grad_scaler(device: torch.device) -> Any:
    return torch.amp.GradScaler(device.type, init_scale=SCALE)
