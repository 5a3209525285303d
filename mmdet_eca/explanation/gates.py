"""The weight that each attention layer gives to every channel, by image and class."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from mmcv.cnn.bricks import NonLocal2d
from mmdet.models.detectors import BaseDetector
from torch import Tensor, nn

from ..errors import UserError
from ..models.attention import (
    AttentionLayer,
    AugmentedConv2d,
    ChannelAttention,
    GatherExcite,
    GSoP,
)


class Layer(NamedTuple):
    """An attention layer of a detector.

    Attributes:
        name (str): Its place, such as 'backbone.layer1.0'.
        kind (str): Its class.
        has_gate (bool): Whether it weighs each channel by one number. If not, its
            weights are the factors that come closest to its output.
    """

    name: str
    kind: str
    has_gate: bool


class GateVariation(NamedTuple):
    """Coefficient of variation of the gates over channels and images.

    A gate that is one constant does nothing, since the norm before it can multiply by
    a constant. So this is how far an attention layer is from doing nothing. The square
    of ``total`` is the sum of the squares of ``channels`` and ``images``.

    Attributes:
        mean (float): Mean of the gate over channels and images.
        channels (float): Standard deviation over channels of the mean over images, as
            a share of ``mean``, as all below.
        images (float): Standard deviation over images, root mean square over channels.
        classes (float): The same over the classes' means, each class counted once.
        total (float): Standard deviation over channels and images.
    """

    mean: float
    channels: float
    images: float
    classes: float
    total: float


@dataclass
class Gates:
    """The weights of the channels in every attention layer, image by image.

    Attributes:
        layers (list[Layer]): In the order in which the detector holds them.
        weights (list[np.ndarray]): One of shape (images, C) for each layer.
        present (np.ndarray): Whether an image has a class, shape (images, classes).
        class_names (Sequence[str]): Names of the classes.
    """

    layers: list[Layer]
    weights: list[np.ndarray]
    present: np.ndarray
    class_names: Sequence[str]

    def class_means(self, layer: int) -> dict[int, np.ndarray]:
        """Returns means (C,) over the images that have a class, by its number."""
        return {
            int(label): self.weights[layer][self.present[:, label]].mean(0)
            for label in np.flatnonzero(self.present.any(0))
        }

    def variations(self) -> list[GateVariation]:
        """Returns the variation of each layer."""
        return [
            gate_variation(weights, list(self.class_means(layer).values()))
            for layer, weights in enumerate(self.weights)
        ]


def attention_layers(detector: BaseDetector) -> dict[Layer, nn.Module]:
    """Returns the attention layers of a detector whose weights can be shown.

    Raises:
        UserError: If there are none.
    """
    layers: dict[Layer, nn.Module] = {}
    for name, module in detector.named_modules():
        if isinstance(module, (AttentionLayer, NonLocal2d)):
            place, _, own_name = name.rpartition('.')
            name = name if own_name.isdigit() else place
            has_gate = isinstance(module, (ChannelAttention, GSoP)) or (
                isinstance(module, GatherExcite) and module.extent is None
            )
            layers[Layer(name, type(module).__name__, has_gate)] = module
    if layers:
        return layers
    reason = 'it has no attention layer'
    if any(isinstance(module, AugmentedConv2d) for module in detector.modules()):
        reason = 'attention-augmented convolutions make new channels and rescale none'
    raise UserError(
        f'the {type(detector.backbone).__name__} of this {type(detector).__name__} has '
        f'no gates to show: {reason}. Name a detector with attention first and '
        'the plain one with --plain, or leave the gates out with --show'
    )


@contextmanager
def recorded_gates(detector: BaseDetector) -> Iterator[dict[Layer, list[np.ndarray]]]:
    """Records the weights that the attention layers give inside of the block.

    A layer with a hook is not folded into the convolution before it, so each layer
    sees its input.

    Yields:
        dict[Layer, list[np.ndarray]]: To each layer the weights (N, C) of each call.
    """
    layers = attention_layers(detector)
    recorded: dict[Layer, list[np.ndarray]] = {layer: [] for layer in layers}

    def record(layer: Layer) -> Callable:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
            weights = channel_weights(module, inputs[0], out)
            recorded[layer].append(weights.float().cpu().numpy())

        return hook

    with _hooks({module: record(layer) for layer, module in layers.items()}):
        yield recorded


@contextmanager
def constant_gates(
    detector: BaseDetector,
    recorded: Mapping[Layer, Sequence[np.ndarray]],
    per_channel: bool = True,
) -> Iterator[None]:
    """Fixes every gate at its mean over images, for as long as the context lasts.

    A constant of a channel could be folded into the norm before it, so the AP that is
    left is that of a detector which does not look at the image as a whole.

    Args:
        detector (BaseDetector): The detector.
        recorded (Mapping[Layer, Sequence[np.ndarray]]): Its weights (N, C) on some
            images, as :func:`recorded_gates` yields them.
        per_channel (bool): One constant for each channel; else one for each layer.

    Raises:
        UserError: If a layer has no gate, or nothing was recorded of it.
    """
    constants: dict[nn.Module, Tensor] = {}
    for layer, module in attention_layers(detector).items():
        if not layer.has_gate:
            raise UserError(
                f'{layer.name}, {layer.kind}, has no gate for each channel that could '
                'be constant'
            )
        if not recorded.get(layer):
            raise UserError(
                f'nothing was recorded of {layer.name}: run the detector on images in '
                'recorded_gates first'
            )
        mean = torch.from_numpy(np.concatenate(recorded[layer]).mean(0))
        constants[module] = mean if per_channel else mean.mean().expand_as(mean)

    def rescale(module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Tensor:
        return inputs[0] * constants[module].to(out)[:, None, None]

    with _hooks(dict.fromkeys(constants, rescale)):
        yield


@contextmanager
def _hooks(hooks: Mapping[nn.Module, Callable]) -> Iterator[None]:
    with ExitStack() as stack:
        for module, hook in hooks.items():
            stack.enter_context(module.register_forward_hook(hook))
        yield


@torch.no_grad()
def channel_weights(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Computes the factors by which a layer rescales the channels.

    For a layer of ECA's family this is the gate, Equation (1) of ECA-Net. For others
    it is the factor w that makes ``|y - w x|`` smallest over the positions, which is
    the gate if there is one for each channel.

    Args:
        module (nn.Module): The layer.
        x (Tensor): Its input, shape (N, C, H, W).
        y (Tensor): Its output, of the same shape.

    Returns:
        Tensor: Shape (N, C); NaN in channels that are 0 everywhere, of other layers.
    """
    if isinstance(module, ChannelAttention):
        return module.gate(x.mean(dim=(2, 3)))
    return (x * y).sum((2, 3)) / (x * x).sum((2, 3))


def gate_variation(
    weights: np.ndarray, class_means: Sequence[np.ndarray] = ()
) -> GateVariation:
    """Computes how far weights are from one constant.

    Args:
        weights (np.ndarray): Shape (images, C). Channels with a NaN are left out.
        class_means (Sequence[np.ndarray]): One of shape (C,) for each class.
    """
    known = ~np.isnan(weights).any(0)
    weights = weights[:, known].astype(np.float64)
    mean = weights.mean()
    # Without classes 0, as of one class.
    by_class = np.stack(class_means or [np.zeros(len(known))])[:, known]
    deviations = (
        weights.mean(0).std(),
        np.sqrt(weights.var(0).mean()),
        np.sqrt(by_class.astype(np.float64).var(0).mean()),
        weights.std(),
    )
    return GateVariation(float(mean), *(float(part / mean) for part in deviations))


def stack_gates(
    images: Sequence[dict[Layer, list[np.ndarray]]],
    labels: Sequence[np.ndarray],
    class_names: Sequence[str],
) -> Gates:
    """Stacks the weights that were recorded of images, one at a time.

    Args:
        images (Sequence[dict]): The result of :func:`recorded_gates` for each image.
        labels (Sequence[np.ndarray]): Numbers of the classes in each image.
        class_names (Sequence[str]): Names of all classes.

    Returns:
        Gates: Weights of layers that ran several times in an image are averaged.
            Layers that did not run in every image, such as those of a mask head
            without objects, are left out.
    """
    present = np.zeros((len(images), len(class_names)), dtype=bool)
    for image, found in enumerate(labels):
        present[image, found] = True
    layers = [layer for layer in images[0] if all(image[layer] for image in images)]
    weights = [
        np.stack([np.concatenate(image[layer]).mean(0) for image in images])
        for layer in layers
    ]
    return Gates(layers, weights, present, class_names)
