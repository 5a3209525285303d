"""A trained detector, from its config and its checkpoint."""

import copy

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from ..config_paths import find_config
from ..dependencies import operators_run_on_gpus
from ..errors import UserError, first_few
from ..models.attention import AttentionLayer
from ..models.loading import check_fit
from ..weights.files import without_module
from ..weights.schemes import load_checkpoint
from .config import dataset_metainfo, innermost_datasets


def load_detector(
    config: str | Config, checkpoint: str, device: str | None = None
) -> BaseDetector:
    """Builds a detector and gives it its trained weights.

    MMDetection's ``init_detector`` logs what a checkpoint lacks and continues with
    random weights, and takes COCO's classes if it finds none.

    Args:
        config (str | Config): A config, or its path as :func:`find_config` takes it.
        checkpoint (str): A checkpoint file, or an address that mmengine loads.
        device (str, optional): 'cpu', 'cuda:0' and so on; the GPU, if mmcv can use it,
            by default.

    Returns:
        BaseDetector: In evaluation mode, with ``cfg`` and ``dataset_meta``.

    Raises:
        UserError: If there is no such file or device, or the weights or the classes
            are those of another detector.
    """
    if isinstance(config, str):
        config = Config.fromfile(find_config(config))
    device = _check_device(device or _default_device())
    init_default_scope(config.get('default_scope') or 'mmdet')
    model = revert_sync_batchnorm(MODELS.build(copy.deepcopy(config.model)))
    loaded = load_checkpoint(checkpoint)
    weights = without_module(loaded.get('state_dict', loaded))
    meta = _lowercase_keys(loaded.get('meta', {}).get('dataset_meta') or {})
    in_config = _test_metainfo(config)
    _check_classes(checkpoint, meta.get('classes'), in_config.get('classes'))
    check_whole(model, weights)
    model.load_state_dict(weights, strict=False)  # it may have more in it
    model.cfg = config
    model.dataset_meta = {'palette': 'random', **meta, **in_config}
    return model.to(device).eval()


def check_whole(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Checks that a checkpoint has every parameter of a model.

    Args:
        model (nn.Module): The model.
        weights (dict[str, Tensor]): The checkpoint's state dict, which may have more.

    Raises:
        UserError: If it lacks one, or one has another shape.
    """
    expected: dict[str, Tensor | None] = dict(model.state_dict())
    for name, layer in model.named_modules():
        if isinstance(layer, AttentionLayer) and layer.in_attention_backbone:
            # Its backbone compares the shapes, and names the argument that fits.
            expected.update(
                dict.fromkeys(f'{name}.{key}' for key in layer.state_dict())
            )
    check_fit(
        weights,
        expected,
        f'this {type(model).__name__}',
        remedy=': its network, or its number of classes, is not the one of this config',
    )


def _check_classes(
    checkpoint: str, trained: tuple | None, in_config: tuple | None
) -> None:
    if trained and in_config and tuple(trained) != tuple(in_config):
        raise UserError(
            f'{checkpoint} was trained for {len(trained)} classes '
            f'({first_few(trained)}), the config has {len(in_config)} '
            f'({first_few(in_config)}): take the config that it was trained with, or '
            "set metainfo=dict(classes=...) in the config's test_dataloader"
        )


def _test_metainfo(config: Config) -> dict:
    """Returns classes and colours from the config's data set for tests."""
    loader = config.get('test_dataloader') or config.get('val_dataloader')
    if loader is None:
        return {}
    return dataset_metainfo(next(innermost_datasets(loader.dataset)))


def _lowercase_keys(metainfo: dict) -> dict:
    return {name.lower(): value for name, value in metainfo.items()}


def _default_device() -> str:
    """The GPU, unless mmcv was compiled without operators for it."""
    device = get_device()
    if device == 'cuda' and not operators_run_on_gpus():
        return 'cpu'
    return device


def _check_device(name: str) -> str:
    try:
        torch.empty(0, device=name)
    except Exception as error:  # AssertionError without CUDA, RuntimeError else
        reason = str(error).splitlines()[0]
        raise UserError(
            f"there is no device {name!r} here: 'cpu' is always right ({reason})"
        ) from None
    return name
