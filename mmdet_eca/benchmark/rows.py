"""The rows of the benchmark of models: configs with options, and their peers."""

import ast
import os.path as osp
from types import ModuleType
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.model.efficient_conv_bn_eval import (
    turn_on_efficient_conv_bn_eval_for_single_model,
)
from mmengine.registry import init_default_scope
from torch import nn

from ..errors import UserError
from ..training.hooks import to_channels_last

AMP = dict(amp=torch.float16, amp_bfloat16=torch.bfloat16)
FLAGS = ('channels_last', 'compiled', 'efficient_conv_bn_eval', *AMP)


def build_row(row: str, backbone_only: bool) -> nn.Module:
    """Builds one row of the benchmark.

    Args:
        row (str): ``CONFIG[@OPTION...]`` or, of the backbones, ``timm:NAME`` or
            ``mmpretrain:TYPE[@OPTION...]``. An option is ``channels_last``,
            ``compiled`` (by torch.compile, the backbone),
            ``efficient_conv_bn_eval`` (mmengine's, for the backbone),
            ``KEY=VALUE``, which sets the model's ``KEY``, or, of its steps,
            ``amp`` (autocast in float16, with a scaled loss) or
            ``amp_bfloat16``.
        backbone_only (bool): Whether to build ``model.backbone`` alone.

    Returns:
        nn.Module: Takes images, in training mode as the config has it.

    Raises:
        UserError: If the row names nothing that can be built.
    """
    name, *options = row.split('@')
    settings = {}
    for option in options:
        key, equals, value = option.partition('=')
        if equals:
            settings[key] = _value(value)
        elif option not in FLAGS:
            raise UserError(
                f'{row}: unknown option {option!r}; there are '
                f'{", ".join(FLAGS)} and KEY=VALUE'
            )
    if name.startswith('timm:'):
        model = import_peer('timm').create_model(name[5:], features_only=True)
    elif name.startswith('mmpretrain:'):
        model = import_peer('mmpretrain').registry.MODELS.build(
            dict(dict(type=name[11:], depth=50, out_indices=(0, 1, 2, 3)), **settings)
        )
    elif not osp.isfile(name):
        raise UserError(
            f'{name} does not exist: give a config file, timm:NAME or mmpretrain:TYPE'
        )
    else:
        cfg = Config.fromfile(name)
        init_default_scope(cfg.get('default_scope') or 'mmdet')
        cfg.merge_from_dict({f'model.{key}': value for key, value in settings.items()})
        model = MODELS.build(cfg.model.backbone if backbone_only else cfg.model)
        _make_proposals_equal(model)
    backbone = getattr(model, 'backbone', model)
    if 'efficient_conv_bn_eval' in options:
        turn_on_efficient_conv_bn_eval_for_single_model(backbone)
    if 'compiled' in options:
        backbone.compile()
    return to_channels_last(model) if 'channels_last' in options else model


def _make_proposals_equal(model: nn.Module) -> None:
    """Lets an RPN propose its anchors, whatever the backbone gives.

    So the heads after it have the same work in every row.
    """
    for name, parameter in model.named_parameters():
        if 'rpn_cls.' in name or 'rpn_reg.' in name:
            nn.init.zeros_(parameter)


def import_peer(name: str) -> ModuleType:
    """Another library, which need not be installed."""
    try:
        return __import__(name, fromlist=['registry'])
    except (ImportError, AssertionError) as error:  # asserts look at mmcv's version
        if isinstance(error, ImportError) and error.name == name:
            raise UserError(f'{name} is not installed: pip install {name}') from None
        reason = (str(error).splitlines() or [''])[0]
        raise UserError(f'{name} cannot be imported here: {reason}') from None


def _value(text: str) -> Any:
    """The value of an option, written as in Python, or a string."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def precision(row: str) -> torch.dtype | None:
    """The data type that autocast has in the steps of a row, None without it."""
    return next((AMP[o] for o in row.split('@')[1:] if o in AMP), None)
