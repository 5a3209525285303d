"""#Param and GFLOPs as the paper counts them."""

from typing import NamedTuple, Tuple

import torch
from mmcv.cnn import get_model_complexity_info
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from ..models import ChannelAttention

INPUT_SHAPE = (3, 800, 1280)
NUM_BOXES = 1000
NUM_MASKS = 100


class Complexity(NamedTuple):
    """What a detector costs; a multiply-add is one operation."""

    params_m: float  # parameters that train, in millions
    all_params_m: float  # with the frozen stem and first stage
    gflops: float


class _Network(nn.Module):
    """A detector without its post-processing and its RoIAlign.

    The box head sees 1000 regions and the mask head 100 of them, as in
    MMDetection 1.x, with which the paper counted.
    """

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> None:
        features = self.detector.extract_feat(images)
        if not hasattr(self.detector, 'roi_head'):
            self.detector.bbox_head(features)
            return
        self.detector.rpn_head(features)
        roi_head = self.detector.roi_head
        self._head(roi_head.bbox_roi_extractor, roi_head.bbox_head, NUM_BOXES)
        if roi_head.with_mask:
            self._head(roi_head.mask_roi_extractor, roi_head.mask_head, NUM_MASKS)

    @staticmethod
    def _head(extractor: nn.Module, head: nn.Module, regions: int) -> None:
        size = extractor.roi_layers[0].output_size
        shape = (regions, extractor.out_channels, *size)
        head(torch.empty(shape, device='meta'))


def count_complexity(cfg: Config) -> Complexity:
    """Counts a detector of the paper at an input of 1280x800.

    mmcv counts the layers; what it does not see or counts otherwise than when
    the paper was written is added: the pooling of a channel attention, and a
    transposed convolution at its output's resolution. Squeeze-and-excitation
    goes without biases. Nothing is computed and no weight is allocated: the
    tensors are on torch's meta device.

    Args:
        cfg (Config): A two-stage or one-stage detector's whole config.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = cfg.model.copy()
    model.backbone = dict(model.backbone, init_cfg=None)
    if model.backbone['type'].startswith('SE'):
        model.backbone['bias'] = False
    if model.backbone.get('norm_cfg', {}).get('type') == 'SyncBN':
        # On one device it is a BN, and mmcv counts that only.
        model.backbone['norm_cfg'] = dict(model.backbone['norm_cfg'], type='BN')
    with torch.device('meta'):
        detector = MODELS.build(model)
    detector.train()  # freezes the stages
    network = _Network(detector)
    extra = []
    for module in detector.modules():
        if isinstance(module, ChannelAttention):
            module.register_forward_hook(
                lambda module, inputs, out: extra.append(inputs[0].numel())
            )
        elif isinstance(module, nn.ConvTranspose2d):
            module.register_forward_hook(
                lambda *call: extra.append(_more_of_transposed(*call))
            )
    flops, params = get_model_complexity_info(
        network, INPUT_SHAPE, print_per_layer_stat=False, as_strings=False
    )
    every = sum(weight.numel() for weight in detector.parameters())
    return Complexity(params / 1e6, every / 1e6, (flops + sum(extra)) / 1e9)


def _more_of_transposed(
    conv: nn.ConvTranspose2d, inputs: Tuple[Tensor], out: Tensor
) -> int:
    """Multiply-adds of all output positions less those of the input's."""
    positions = out[:, 0].numel() - inputs[0][:, 0].numel()
    return positions * conv.weight.numel()
