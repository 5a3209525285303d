"""Tables 3 and 4: what classifiers cost."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.backbones import ResNet
from mmdet.models.backbones.resnet import Bottleneck
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from torch import nn
from tqdm import tqdm

from ..config_paths import config_path
from .counting import (
    POOLING,
    Complexity,
    Conventions,
    beside_paper,
    count,
    layer_by_layer,
    per_output,
)
from .paper_rows import UNITS, PaperRow, paper_rows
from .tables import Rows

IMAGE_SIZE = 224
# Differences from the paper beyond this many 10^6 or 2^20 parameters, and 10^9 or
# 2^30 operations, are explained.
TOLERANCE = 0.01


class Counting(NamedTuple):
    """The way in which the operations of a row were counted.

    Attributes:
        conventions (Conventions): Operations counted beside multiply-adds.
        style (str): 'pytorch' for ResNets with stride 2 in the 3x3 convolution,
            'caffe' for those with stride 2 in the 1x1 convolution before it.
        products (bool): Whether products of two activations are counted.
    """

    conventions: Conventions = ()
    style: str = 'pytorch'
    products: bool = True


# The paper's own. Found by its figures: a batch norm has four operations an element
# (subtract, divide, scale, shift).
OWN = Counting(
    (POOLING, (nn.BatchNorm2d, per_output(4)), ((nn.ReLU, nn.ReLU6), per_output(1)))
)
# The conventions of the papers that it copied from, by the first word of a row's name,
# found by their figures too: multiply-adds alone.
QUOTED = {
    'a2': Counting(style='caffe'),
    'aa': Counting(products=False),
    'gc': Counting(style='caffe'),
    'gsop': Counting(style='caffe', products=False),
}
# Why a row of Table 3 differs from the paper, with {params} and {gflops} for what the
# network has, in the units of the row, with these changes of its backbone's arguments.
_CBAM: dict[str, Any] = dict(
    why='the paper has the figures of SE. With the biases of its authors CBAM has '
    'more; without them it has {params} and {gflops}.',
    bias=False,
)
EXPLANATIONS: dict[str, dict[str, Any]] = {
    'cbam_resnet50': _CBAM,
    'cbam_resnet101': _CBAM,
    'a2_resnet50': dict(
        why='not explained; its authors released no code. The units have half of the '
        'channels, with which both figures are near; with a quarter, as the text of '
        'A2-Nets says, it has {params} and {gflops}.',
        ratio=4,
    ),
    'gsop_resnet50': dict(
        why='the code of its authors has a block in all four stages. Without that of '
        'c2, as the paper must have, it has {params} and {gflops}.',
        attention_blocks=((), (3,), (5,), (2,)),
    ),
    'aa_resnet50': dict(
        why="#Param is AA-Net's 25.8 with a zero. FLOPs are half of AA-Net's 8.3, "
        'which counts product and sum; they are not explained, while the same rule '
        'gives those of aa_resnet101.'
    ),
}


class _ResNet200(ResNet):
    arch_settings = {200: (Bottleneck, (3, 24, 36, 3))}


_RESNEXT = dict(type='AttentionResNeXt', depth=101, groups=32, base_width=4)
_SE_RESNEXT = dict(_RESNEXT, attention=dict(type='SqueezeExcitation'))
# The networks that a row of Table 4 may mean: the name, and the backbone if it can be
# counted here, else the source of the number of parameters and the number.
OTHER_NETWORKS: dict[str, list[tuple]] = {
    'ResNet-200': [('ResNet-200', dict(type=_ResNet200, depth=200))],
    'ResNeXt-101': [
        ('ResNeXt-101 32x4d', _RESNEXT),
        ('SE-ResNeXt-101 32x4d', _SE_RESNEXT),
    ],
    'Inception-v3': [('Inception-v3, auxiliary head', 'torchvision', 27_161_264)],
    'DenseNet-264 (k=32)': [('DenseNet-264', 'its layers', 33_337_704)],
    'DenseNet-161 (k=48)': [('DenseNet-161', 'its layers', 28_681_000)],
}


def count_classifier(
    name: str, counting: Counting | None = None, **changes: Any
) -> Complexity:
    """Counts a classifier for one image.

    Args:
        name (str): Name of its config in ``configs/imagenet``.
        counting (Counting, optional): How its operations are counted, by default as
            for its row of Table 3.
        **changes: Arguments of its backbone that replace the config's.
    """
    counting = counting or QUOTED.get(name.partition('_')[0], OWN)
    cfg = Config.fromfile(config_path(f'imagenet/{name}.py'))
    backbone = layer_by_layer(cfg.model.backbone)
    if counting.style != OWN.style:
        backbone.style = counting.style
    backbone.update(changes)
    cost = count_network(ConfigDict(cfg.model, backbone=backbone), counting)
    if 'mobilenet' in name:
        # In the paper the last layer's product and sum count one each.
        last_layer = cfg.model.in_channels * cfg.model.num_classes
        cost = cost._replace(operations=cost.operations + last_layer)
    return cost


def count_network(model: ConfigDict, counting: Counting = OWN) -> Complexity:
    """Counts a classifier, given its config, for one image; nothing is computed."""
    init_default_scope('mmdet')
    with torch.device('meta'):
        classifier = MODELS.build(model).eval()
        images = torch.empty(1, 3, IMAGE_SIZE, IMAGE_SIZE)
    cost = count(classifier, images, conventions=counting.conventions)
    if counting.products:
        return cost
    return cost._replace(operations=cost.operations - cost.products, products=0)


def classifier_rows(rows: Sequence[PaperRow] | None = None) -> Rows:
    """Counts the classifiers of Table 3; shows its progress on stderr.

    Args:
        rows (Sequence[PaperRow], optional): Some of its rows; None for all.

    Returns:
        list[dict]: A dict a classifier. ``params`` and ``operations`` are plain
        counts, ``operations`` as the row was counted; ``own_operations`` as the
        paper counted its own rows. ``params_m`` and ``gflops`` are in the units of
        the paper's row, ``params_unit`` (2^20 or 10^6) and ``flops_unit`` (2^30 or
        10^9); beside them are the paper's as ``paper_...``, and the first minus the
        second as ``diff_...``. ``note`` explains a difference above 0.01.
    """
    return [_count_row(row) for row in tqdm(rows or paper_rows([3]))]


def _count_row(row: PaperRow) -> dict[str, Any]:
    cost = count_classifier(row.name)
    # MobileNetV2's FLOPs are printed in 2^20.
    flops_unit = '2^30' if row.flops_unit == '2^20' else row.flops_unit
    mega, giga = UNITS[row.params_unit], UNITS[flops_unit]
    result: dict[str, Any] = dict(
        table=3,
        name=row.name,
        params=cost.parameters,
        operations=cost.operations,
        own_operations=count_classifier(row.name, OWN).operations,
        params_unit=row.params_unit,
        flops_unit=flops_unit,
        **beside_paper('params_m', cost.parameters / mega, row.parameters / mega),
        **beside_paper('gflops', cost.operations / giga, row.operations / giga),
    )
    note = None
    if max(abs(result['diff_params_m']), abs(result['diff_gflops'])) > TOLERANCE:
        changes = dict(EXPLANATIONS[row.name])
        why = changes.pop('why')
        cost = count_classifier(row.name, **changes)
        params, flops = cost.parameters / mega, cost.operations / giga
        note = why.format(params=f'{params:.2f}', gflops=f'{flops:.2f}')
    return dict(result, note=note)


def network_rows() -> Rows:
    """Counts the networks of Table 4, as far as they can be counted.

    Returns:
        list[dict]: One dict for each network that a row may mean, ``counted``, with
        how it was counted, ``counted_by``: 'here', or else its parameters alone.
        ``params`` and ``operations`` are its plain counts, as the paper counted its
        own rows of Table 3; ``params_m`` and ``gflops`` are in 2^20 and 2^30, the
        paper's are ``paper_...``, and the first minus the second ``diff_...``; None
        where it is not known. ``agrees`` says whether all that is known is within
        0.01 of the paper, ``top1``, ``top5`` and ``note`` are the paper's row.
    """
    rows = []
    for row in paper_rows([4]):
        for name, counted_by, params, operations in _networks(row):
            gflops = None if operations is None else operations / 2**30
            result: dict[str, Any] = dict(
                table=4,
                name=row.method,
                counted=name,
                counted_by=counted_by,
                params=params,
                operations=operations,
                **beside_paper('params_m', params / 2**20, row.paper['params']),
                **beside_paper('gflops', gflops, row.paper['flops']),
            )
            differences = (result['diff_params_m'], result['diff_gflops'] or 0)
            agrees = all(abs(value) <= TOLERANCE for value in differences)
            accuracy = dict(
                top1=row.paper['top1'], top5=row.paper['top5'], note=row.note
            )
            rows.append(dict(result, agrees=agrees, **accuracy))
    return rows


def _networks(row: PaperRow) -> list[tuple[str, str, int, int | None]]:
    """Returns name, way of counting, parameters and operations of each candidate."""
    model = Config.fromfile(config_path('imagenet/resnet50.py')).model
    found: list[tuple[str, str, int, int | None]] = []
    for name, *known in OTHER_NETWORKS.get(row.method, [(row.name, row.name)]):
        if len(known) == 2:
            found.append((name, *known, None))
            continue
        (network,) = known
        if isinstance(network, str):
            cost = count_classifier(network)
        else:
            cost = count_network(ConfigDict(model, backbone=dict(network)))
        found.append((name, 'here', cost.parameters, cost.operations))
    return found
