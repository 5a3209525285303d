"""Time and memory of detectors or backbones, side by side in one run."""
import ast
import json
import os
import os.path as osp
import statistics
import time
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.model.efficient_conv_bn_eval import \
    turn_on_efficient_conv_bn_eval_for_single_model
from mmengine.registry import init_default_scope
from mmengine.utils import ProgressBar
from terminaltables import AsciiTable
from torch import Tensor, nn

from ..engine.channels_last_hook import to_channels_last
from ..errors import UserError

MEASURES = ('training step', 'inference, whole batch', 'inference, one image')


def benchmark_model(rows: Sequence[str],
                    backbone_only: bool,
                    batch_size: int,
                    size: Tuple[int, int],
                    rounds: int,
                    out: str,
                    max_saved: Optional[float] = None) -> str:
    """Measures every row in turn, round after round, and compares with the first.

    Args:
        rows (Sequence[str]): Configs, each with options after ``@``, see
            :func:`build_row`.
        backbone_only (bool): Whether to measure ``model.backbone`` alone.
        batch_size (int): Images in a training step.
        size (tuple[int]): Height and width of the images in pixels.
        rounds (int): Of every row and measure; one more warms up.
        out (str): Folder for ``model.txt``, ``model.json`` and ``model.png``.
        max_saved (float, optional): Largest saved activations of the last row,
            relative to the first.

    Returns:
        str: The table. Ratios are medians of the rounds' ratios, with the
        smallest and the largest.

    Raises:
        UserError: If a row cannot be built, or saves more than ``max_saved``.
    """
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    models = {row: build_row(row, backbone_only).to(device) for row in rows}
    images = torch.rand(batch_size, 3, *size, device=device)
    results = {row: {} for row in models}
    progress = ProgressBar(len(models) * len(MEASURES) * (rounds + 1))
    for measure in MEASURES:
        times = {row: [] for row in models}
        for _ in range(rounds + 1):
            for row, model in models.items():
                times[row].append(
                    _seconds(_runner(model, measure, images), device))
                progress.update()
        first = times[rows[0]][1:]
        for row, values in times.items():
            results[row][measure] = dict(
                seconds=statistics.median(values[1:]),
                ratios=[b / a for a, b in zip(first, values[1:])])
    print()
    for row, model in models.items():
        results[row]['saved activations'] = _saved_bytes(model, images)
        if device.type == 'cuda':
            results[row]['peak memory'] = _peak_bytes(model, images)
    table = _table(results, rows[0])
    _write(results, rows[0], table, out)
    saved = [results[row]['saved activations'] for row in (rows[0], rows[-1])]
    if max_saved is not None and saved[1] > max_saved * saved[0]:
        raise UserError(f'{rows[-1]} saves {saved[1] / saved[0]:.3f} of the '
                        f'activations of {rows[0]}, more than {max_saved}')
    return table


def build_row(row: str, backbone_only: bool) -> nn.Module:
    """Builds one row of the benchmark.

    Args:
        row (str): ``CONFIG[@OPTION...]`` or, of the backbones, ``timm:NAME`` or
            ``mmpretrain:TYPE[@OPTION...]``. An option is ``channels_last``,
            ``efficient_conv_bn_eval`` (mmengine's, for the backbone) or
            ``KEY=VALUE``, which sets the model's ``KEY``.
        backbone_only (bool): Whether to build ``model.backbone`` alone.

    Returns:
        nn.Module: Takes images, in training mode as the config has it.

    Raises:
        UserError: If the row names nothing that can be built.
    """
    name, *options = row.split('@')
    settings = dict(o.split('=', 1) for o in options if '=' in o)
    flags = {o for o in options if '=' not in o}
    unknown = flags - {'channels_last', 'efficient_conv_bn_eval'}
    if unknown:
        raise UserError(f'{row}: unknown option {min(unknown)!r}; there are '
                        'channels_last, efficient_conv_bn_eval and KEY=VALUE')
    if name.startswith('timm:'):
        model = _peer('timm').create_model(name[5:], features_only=True)
    elif name.startswith('mmpretrain:'):
        model = _peer('mmpretrain').registry.MODELS.build(
            dict(type=name[11:], depth=50, out_indices=(0, 1, 2, 3), **{
                key: _value(value) for key, value in settings.items()}))
    elif not osp.isfile(name):
        raise UserError(f'{name} does not exist: give a config file, timm:NAME '
                        'or mmpretrain:TYPE')
    else:
        cfg = Config.fromfile(name)
        init_default_scope(cfg.get('default_scope', 'mmdet'))
        cfg.merge_from_dict({
            f'model.{key}': _value(value) for key, value in settings.items()})
        model = MODELS.build(cfg.model.backbone if backbone_only else cfg.model)
        _make_proposals_equal(model)
    if 'efficient_conv_bn_eval' in flags:
        turn_on_efficient_conv_bn_eval_for_single_model(
            getattr(model, 'backbone', model))
    return to_channels_last(model) if 'channels_last' in flags else model


def _make_proposals_equal(model: nn.Module) -> None:
    """Lets an RPN propose its anchors, of whatever backbone, so that the heads
    after it have the same work in every row."""
    for name, parameter in model.named_parameters():
        if 'rpn_cls.' in name or 'rpn_reg.' in name:
            nn.init.zeros_(parameter)


def _peer(name: str):
    try:
        return __import__(name, fromlist=['registry'])
    except ImportError:
        raise UserError(f'{name} is not installed: pip install {name}') from None


def _value(text: str) -> Any:
    """The value of an option, written as in Python, or a string."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def _runner(model: nn.Module, measure: str, images: Tensor) -> Callable:
    if measure == 'training step':
        model.train()
        return lambda: _total(model, images).backward()
    model.eval()
    images = images if measure == 'inference, whole batch' else images[:1]
    return torch.no_grad()(lambda: _features(model, images))


def _total(model: nn.Module, images: Tensor) -> Tensor:
    """A number that depends on all outputs; the loss of a detector."""
    model.zero_grad()
    if not hasattr(model, 'parse_losses'):
        return sum(out.sum() for out in model(images))
    torch.manual_seed(0)  # the samplers'
    losses = model(images, _samples(images), mode='loss')
    return model.parse_losses(losses)[0]


def _features(model: nn.Module, images: Tensor) -> Any:
    if not hasattr(model, 'parse_losses'):
        return model(images)
    return model(images, _samples(images), mode='tensor')


def _samples(images: Tensor) -> List:
    """Eight objects with masks in every image."""
    n, channels, *size = images.shape
    samples = demo_mm_inputs(
        n, (channels, *size), num_items=[8] * n, with_mask=True,
        device=images.device)['data_samples']
    for sample in samples:
        sample.set_metainfo(
            dict(batch_input_shape=tuple(size), pad_shape=tuple(size)))
    return samples


def _seconds(function: Callable, device: torch.device) -> float:
    if device.type == 'cuda':
        torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    if device.type == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _saved_bytes(model: nn.Module, images: Tensor) -> int:
    """What autograd keeps for the backward pass, each storage once, without
    parameters and buffers."""
    own = {value.untyped_storage().data_ptr()
           for value in model.state_dict().values()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        total = _total(model, images)
    size = sum(storage.nbytes() for storage in kept.values())
    del total
    return size


def _peak_bytes(model: nn.Module, images: Tensor) -> int:
    torch.cuda.reset_peak_memory_stats()
    _runner(model, 'training step', images)()
    return torch.cuda.max_memory_allocated()


def _relative(results: Dict, row: str, first: str, measure: str) -> List[float]:
    """Ratios to the first row: one a round, or the one that there is."""
    value = results[row][measure]
    if isinstance(value, dict):
        return value['ratios']
    return [value / results[first][measure]]


def _table(results: Dict, first: str) -> str:
    measures = list(results[first])
    data = [['relative to the first', *measures]]
    for row in results:
        cells = []
        for measure in measures:
            ratios = _relative(results, row, first, measure)
            cell = f'{statistics.median(ratios):.3f}'
            if len(ratios) > 1:
                cell += f' ({min(ratios):.2f} to {max(ratios):.2f})'
            cells.append(cell)
        data.append([row, *cells])
    absolute = ['the first, absolute']
    for measure in measures:
        value = results[first][measure]
        absolute.append(f'{value["seconds"]:.3f} s' if isinstance(value, dict)
                        else f'{value / 2**20:.0f} MiB')
    table = AsciiTable([*data, absolute])
    table.inner_footing_row_border = True
    return table.table


def _write(results: Dict, first: str, table: str, out: str) -> None:
    os.makedirs(out, exist_ok=True)
    with open(osp.join(out, 'model.txt'), 'w') as file:
        file.write(table + '\n')
    with open(osp.join(out, 'model.json'), 'w') as file:
        json.dump(results, file, indent=2)
    _draw(results, first, osp.join(out, 'model.png'))


def _draw(results: Dict, first: str, path: str) -> None:
    import matplotlib  # half a second to import
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    measures = list(results[first])
    figure, axes = plt.subplots(
        1, len(measures), sharey=True, layout='constrained',
        figsize=(3.2 * len(measures), 1 + 0.5 * len(results)))
    for axis, measure in zip(axes, measures):
        ratios = [_relative(results, row, first, measure) for row in results]
        middle = [statistics.median(values) for values in ratios]
        spread = [[m - min(v) for m, v in zip(middle, ratios)],
                  [max(v) - m for m, v in zip(middle, ratios)]]
        bars = axis.barh(list(results), middle, xerr=spread, color='#4878a8',
                         ecolor='0.4')
        axis.bar_label(bars, fmt='%.2f', padding=3)
        axis.axvline(1, color='0.6', linewidth=1)
        axis.set(title=measure, xlim=(0, 1.25 * max(max(v) for v in ratios)))
    axes[0].invert_yaxis()
    figure.savefig(path, dpi=120)
    plt.close(figure)
