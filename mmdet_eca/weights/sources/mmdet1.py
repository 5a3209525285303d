"""Converts detectors of MMDetection 1.x, such as those that ECA-Net's authors released.

Differences from MMDetection 3.x:

- the background is the first of a softmax's K + 1 classes, not the last;
- the background has a box regressor and a mask too, which are never used;
- the heads of two-stage detectors are not inside a ``roi_head``.

RPN and RetinaNet have one sigmoid for each anchor and class and no background, so
they stay as they are. mmdet's ``tools/model_converters/upgrade_model_version.py``
cannot be used: it moves the biases of these two as well, and removes the last
instead of the first biases of the box regressors.
"""

from collections.abc import Iterator

import torch

from ...errors import UserError
from ...models.loading import check_fit
from ..files import StateDict
from ..resnet import check_resnet
from .mmdet3 import major_version

NAME = "an MMDetection 1.x detector, as the ECA-Net authors' are"


def matches(state_dict: StateDict, meta: dict) -> bool:
    """Whether ``meta`` says version 1, or the names of the heads do.

    The latter counts where ``meta`` says no version: in 1.x an ``rpn_head`` and a
    ``bbox_head`` are not inside a ``roi_head``.

    Raises:
        UserError: If it is a one-stage detector without a version. Its parameters
            have the same names in MMDetection 1.x, 2.x and 3.x, but its boxes
            differ.
    """
    heads = [name for name in state_dict if name.startswith('bbox_head.')]
    if (
        'backbone.layer1.0.conv1.weight' not in state_dict
        or not heads
        or 'mmengine_version' in meta
        or 'mmdet_eca' in meta
    ):
        return False
    version = major_version(meta)
    if version is None and not any(name.startswith('rpn_head.') for name in state_dict):
        raise UserError(
            'the checkpoint does not say which MMDetection has written it '
            '(meta.mmdet_version), and 1.x, 2.x and 3.x have the same names '
            f'({heads[0]!r}) but not the same boxes: give its version, as '
            '--mmdet-version 1.2.0'
        )
    return version is None or version < 2


def detector(state_dict: StateDict) -> str:
    """Returns which detector it is: 'faster_rcnn', 'mask_rcnn' or 'retinanet'."""
    if 'bbox_head.retina_cls.weight' in state_dict:
        return 'retinanet'
    if any(name.startswith('mask_head.') for name in state_dict):
        return 'mask_rcnn'
    return 'faster_rcnn'


def convert(state_dict: StateDict) -> tuple[StateDict, str]:
    """Returns the weights as MMDetection 3.x has them, and the config that they fit.

    Raises:
        UserError: If parameters of the detector are missing or left over, its heads
            differ in their number of classes, or its backbone is not one of this
            package.
    """
    name = detector(state_dict)
    converted = _rename(name, state_dict)
    prefix = 'backbone.'
    backbone = check_resnet(
        {
            key[len(prefix) :]: value
            for key, value in converted.items()
            if key.startswith(prefix)
        }
    )
    depth, instead = 50, ' in place of the ECAResNet'
    if backbone.type == 'ECAResNet':
        depth, instead = backbone.arguments['depth'], ''
    config = f'configs/legacy/{name}_eca_r{depth}_fpn_1x.py'
    return converted, f'{name} with {backbone}{instead}, for {config}'


def _rename(name: str, state_dict: StateDict) -> StateDict:
    """Moves the background to where MMDetection 3.x has it.

    That is the end in the box classifier; box regressor and masks have none.
    """
    check_fit(
        {k: v for k, v in state_dict.items() if not k.startswith('backbone.')},
        dict.fromkeys(_names(name)),
        f'a {name} of MMDetection 1.x',
        optional=(),
    )
    if name == 'retinanet':
        return state_dict
    classes = len(state_dict['bbox_head.fc_cls.bias'])  # K + 1
    _check_rows(state_dict, 'bbox_head.fc_reg', 4 * classes)
    if name == 'mask_rcnn':
        _check_rows(state_dict, 'mask_head.conv_logits', classes)
    converted = {}
    for key, value in state_dict.items():
        if key.startswith('bbox_head.fc_cls.'):
            value = torch.cat([value[1:], value[:1]])
        elif key.startswith('bbox_head.fc_reg.'):
            value = value[4:].clone()  # torch.save writes all rows of a view
        elif key.startswith('mask_head.conv_logits.'):
            value = value[1:].clone()
        if key.startswith(('bbox_head.', 'mask_head.')):
            key = f'roi_head.{key}'
        converted[key] = value
    return converted


def _names(name: str) -> Iterator[str]:
    """Yields the names of all parameters outside of the backbone."""
    for layer in _layers(name):
        yield f'{layer}.weight'
        yield f'{layer}.bias'


def _layers(name: str) -> list[str]:
    if name == 'retinanet':
        return [
            *(f'neck.lateral_convs.{i}.conv' for i in range(3)),
            *(f'neck.fpn_convs.{i}.conv' for i in range(5)),
            *(
                f'bbox_head.{branch}_convs.{i}.conv'
                for branch in ('cls', 'reg')
                for i in range(4)
            ),
            'bbox_head.retina_cls',
            'bbox_head.retina_reg',
        ]
    layers = [
        *(
            f'neck.{convs}_convs.{i}.conv'
            for convs in ('lateral', 'fpn')
            for i in range(4)
        ),
        *(f'rpn_head.{layer}' for layer in ('rpn_conv', 'rpn_cls', 'rpn_reg')),
        *(
            f'bbox_head.{layer}'
            for layer in ('shared_fcs.0', 'shared_fcs.1', 'fc_cls', 'fc_reg')
        ),
    ]
    if name == 'mask_rcnn':
        layers += [
            *(f'mask_head.convs.{i}.conv' for i in range(4)),
            'mask_head.upsample',
            'mask_head.conv_logits',
        ]
    return layers


def _check_rows(state_dict: StateDict, layer: str, rows: int) -> None:
    for name in (f'{layer}.weight', f'{layer}.bias'):
        if len(state_dict[name]) != rows:
            raise UserError(
                f'{name} has {len(state_dict[name])} rows, not {rows}, which '
                'the classes of bbox_head.fc_cls, background included, need'
            )
