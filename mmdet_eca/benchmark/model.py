"""Time and memory of detectors or backbones, side by side in one run."""

import ast
import json
import os
import os.path as osp
import statistics
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from mmdet.registry import MODELS
from mmdet.testing import demo_mm_inputs
from mmengine.config import Config
from mmengine.model.efficient_conv_bn_eval import (
    turn_on_efficient_conv_bn_eval_for_single_model,
)
from mmengine.registry import init_default_scope
from mmengine.utils import ProgressBar
from terminaltables import AsciiTable
from torch import Tensor, nn

from ..engine.hooks import to_channels_last
from ..errors import UserError
from .measuring import choose_device, seconds, spread, write_markdown

MEASURES = ('training step', 'inference, whole batch', 'inference, one image')
AMP = dict(amp=torch.float16, amp_bfloat16=torch.bfloat16)
FLAGS = ('channels_last', 'efficient_conv_bn_eval', *AMP)


class Batch(NamedTuple):
    """What a model is given.

    Args:
        images (Tensor): Shape (N, 3, H, W).
        samples (list[DetDataSample], optional): The objects in them, for a
            detector.
    """

    images: Tensor
    samples: Optional[List] = None

    def one(self) -> 'Batch':
        """Its first image."""
        return Batch(self.images[:1], self.samples and self.samples[:1])


def benchmark_model(
    rows: Sequence[str],
    backbone_only: bool,
    batch_size: int,
    size: Tuple[int, int],
    rounds: int,
    out: str,
    max_saved: Optional[float] = None,
    device: Optional[str] = None,
) -> str:
    """Measures every row in turn, round after round, and compares with the first.

    Args:
        rows (Sequence[str]): Configs, each with options after ``@``, see
            :func:`build_row`.
        backbone_only (bool): Whether to measure ``model.backbone`` alone.
        batch_size (int): Images in a training step.
        size (tuple[int]): Height and width of the images in pixels.
        rounds (int): Of every row and measure; one more warms up.
        out (str): Folder for ``model.txt``, ``model.md`` (with the machine and
            the command), ``model.json`` and ``model.png``.
        max_saved (float, optional): Largest saved activations of the last row,
            relative to the first.
        device (str, optional): ``cpu``, ``cuda`` or ``cuda:N``; None takes the
            GPU if there is one. On it the peak memory of a training step is
            measured too: of weights, gradients and activations.

    Returns:
        str: The table. Ratios are medians of the rounds' ratios, with the
        smallest and the largest.

    Raises:
        UserError: If a row cannot be built, or saves more than ``max_saved``, or
            if there is no such device.
    """
    device = choose_device(device)
    steps = {
        row: _Step(build_row(row, backbone_only).to(device), _precision(row))
        for row in rows
    }
    images = torch.rand(batch_size, 3, *size, device=device)
    batch = Batch(images, None if backbone_only else _samples(images))
    results = {row: {} for row in steps}
    progress = ProgressBar(len(steps) * len(MEASURES) * (rounds + 1))
    for measure in MEASURES:
        runs = {row: step.prepare(measure, batch) for row, step in steps.items()}
        times = {row: [] for row in steps}
        for _ in range(rounds + 1):
            for row, run in runs.items():
                times[row].append(seconds(run))
                progress.update()
        first = times[rows[0]][1:]
        for row, values in times.items():
            results[row][measure] = dict(
                seconds=statistics.median(values[1:]),
                ratios=[b / a for a, b in zip(first, values[1:])],
            )
    print()
    for row, step in steps.items():
        results[row]['saved activations'] = _saved_bytes(step, batch)
    if device.type == 'cuda':
        _measure_peaks(steps, batch, results)
    table = _table(results, rows[0])
    _write(results, table, rows[0], out, device)
    saved = [results[row]['saved activations'] for row in (rows[0], rows[-1])]
    if max_saved is not None and saved[1] > max_saved * saved[0]:
        raise UserError(
            f'{rows[-1]} saves {saved[1] / saved[0]:.3f} of the '
            f'activations of {rows[0]}, more than {max_saved}'
        )
    return _ascii(table)


def build_row(row: str, backbone_only: bool) -> nn.Module:
    """Builds one row of the benchmark.

    Args:
        row (str): ``CONFIG[@OPTION...]`` or, of the backbones, ``timm:NAME`` or
            ``mmpretrain:TYPE[@OPTION...]``. An option is ``channels_last``,
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
    settings = dict(o.split('=', 1) for o in options if '=' in o)
    flags = {o for o in options if '=' not in o}
    unknown = flags.difference(FLAGS)
    if unknown:
        raise UserError(
            f'{row}: unknown option {min(unknown)!r}; there are '
            f'{", ".join(FLAGS)} and KEY=VALUE'
        )
    if name.startswith('timm:'):
        model = _peer('timm').create_model(name[5:], features_only=True)
    elif name.startswith('mmpretrain:'):
        model = _peer('mmpretrain').registry.MODELS.build(
            dict(
                type=name[11:],
                depth=50,
                out_indices=(0, 1, 2, 3),
                **{key: _value(value) for key, value in settings.items()},
            )
        )
    elif not osp.isfile(name):
        raise UserError(
            f'{name} does not exist: give a config file, timm:NAME or mmpretrain:TYPE'
        )
    else:
        cfg = Config.fromfile(name)
        init_default_scope(cfg.get('default_scope', 'mmdet'))
        cfg.merge_from_dict(
            {f'model.{key}': _value(value) for key, value in settings.items()}
        )
        model = MODELS.build(cfg.model.backbone if backbone_only else cfg.model)
        _make_proposals_equal(model)
    if 'efficient_conv_bn_eval' in flags:
        turn_on_efficient_conv_bn_eval_for_single_model(
            getattr(model, 'backbone', model)
        )
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


def _precision(row: str) -> Optional[torch.dtype]:
    """What autocast casts to in the steps of a row, None for no autocast."""
    return next((AMP[o] for o in row.split('@')[1:] if o in AMP), None)


class _Step:
    """How a row is run.

    Args:
        model (nn.Module): A detector or a backbone.
        amp (torch.dtype, optional): What autocast casts to. The loss is scaled
            in float16.
    """

    def __init__(self, model: nn.Module, amp: Optional[torch.dtype] = None) -> None:
        self.model = model
        self.is_detector = hasattr(model, 'parse_losses')
        self.amp = amp
        self.device = next(model.parameters()).device
        self.scaler = None
        if amp == torch.float16:
            self.scaler = _grad_scaler(self.device)
            self.optimizer = torch.optim.SGD(model.parameters(), lr=0.0)

    def prepare(self, measure: str, batch: Batch) -> Callable:
        """Sets the model's mode; returns what is measured."""
        if measure == 'training step':
            self.model.train()
            return lambda: self.train(batch)
        self.model.eval()
        if measure == 'inference, one image':
            batch = batch.one()
        return lambda: self.infer(batch)

    def train(self, batch: Batch) -> None:
        """Gradients, ready for the optimizer."""
        total = self.total(batch)
        if self.scaler is None:
            total.backward()
        else:
            self.scaler.scale(total).backward()
            self.scaler.unscale_(self.optimizer)
            self.scaler.update()

    def total(self, batch: Batch) -> Tensor:
        """A number that depends on all outputs; the loss of a detector."""
        self.model.zero_grad()
        with self._autocast():
            if not self.is_detector:
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
        """The raw outputs."""
        with self._autocast():
            if not self.is_detector:
                return self.model(batch.images)
            return self.model(*batch, mode='tensor')

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.amp, enabled=self.amp is not None)


def _grad_scaler(device: torch.device) -> Any:
    if hasattr(torch.amp, 'GradScaler'):  # since torch 2.3
        return torch.amp.GradScaler(device.type)
    if device.type == 'cpu':
        raise UserError(
            '@amp on a CPU needs torch 2.3 or later; '
            '@amp_bfloat16 works with every torch'
        )
    return torch.cuda.amp.GradScaler()


def _samples(images: Tensor) -> List:
    """Eight objects with masks in every image."""
    n, channels, *size = images.shape
    samples = demo_mm_inputs(
        n, (channels, *size), num_items=[8] * n, with_mask=True, device=images.device
    )['data_samples']
    for sample in samples:
        sample.set_metainfo(dict(batch_input_shape=tuple(size), pad_shape=tuple(size)))
    return samples


def _saved_bytes(step: _Step, batch: Batch) -> int:
    """What autograd keeps for the backward pass, each storage once, without
    parameters and buffers."""
    own = {
        value.untyped_storage().data_ptr() for value in step.model.state_dict().values()
    }
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    step.model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        total = step.total(batch)
    size = sum(storage.nbytes() for storage in kept.values())
    del total
    return size


def _measure_peaks(steps: Dict[str, _Step], batch: Batch, results: Dict) -> None:
    """Peak memory of a training step of every row, the others off the GPU."""
    for step in steps.values():
        step.model.zero_grad()
        step.model.cpu()
    for row, step in steps.items():
        step.model.to(step.device)
        torch.cuda.reset_peak_memory_stats(step.device)
        step.prepare('training step', batch)()
        results[row]['peak memory'] = torch.cuda.max_memory_allocated(step.device)
        step.model.zero_grad()
        step.model.cpu()


def _relative(results: Dict, row: str, first: str, measure: str) -> List[float]:
    """Ratios to the first row: one a round, or the one that there is."""
    value = results[row][measure]
    if isinstance(value, dict):
        return value['ratios']
    return [value / results[first][measure]]


def _table(results: Dict, first: str) -> List[List[str]]:
    """Rows of cells: a header, the ratios, and what the first row's are of."""
    measures = list(results[first])
    data = [['relative to the first', *measures]]
    for row in results:
        data.append(
            [
                row,
                *(
                    spread(_relative(results, row, first, measure))
                    for measure in measures
                ),
            ]
        )
    absolute = ['the first, absolute']
    for measure in measures:
        value = results[first][measure]
        absolute.append(
            f'{value["seconds"]:.3f} s'
            if isinstance(value, dict)
            else f'{value / 2**20:.0f} MiB'
        )
    return [*data, absolute]


def _ascii(table: List[List[str]]) -> str:
    table = AsciiTable(table)
    table.inner_footing_row_border = True
    return table.table


def _write(
    results: Dict, table: List[List[str]], first: str, out: str, device: torch.device
) -> None:
    os.makedirs(out, exist_ok=True)
    with open(osp.join(out, 'model.txt'), 'w') as file:
        file.write(_ascii(table) + '\n')
    write_markdown(osp.join(out, 'model.md'), table, device)
    with open(osp.join(out, 'model.json'), 'w') as file:
        json.dump(results, file, indent=2)
    _draw(results, first, osp.join(out, 'model.png'))


def _draw(results: Dict, first: str, path: str) -> None:
    import matplotlib  # half a second to import

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    measures = list(results[first])
    figure, axes = plt.subplots(
        1,
        len(measures),
        sharey=True,
        layout='constrained',
        figsize=(3.2 * len(measures), 1 + 0.5 * len(results)),
    )
    for axis, measure in zip(axes, measures):
        ratios = [_relative(results, row, first, measure) for row in results]
        middle = [statistics.median(values) for values in ratios]
        spread = [
            [m - min(v) for m, v in zip(middle, ratios)],
            [max(v) - m for m, v in zip(middle, ratios)],
        ]
        bars = axis.barh(
            list(results), middle, xerr=spread, color='#4878a8', ecolor='0.4'
        )
        axis.bar_label(bars, fmt='%.2f', padding=3)
        axis.axvline(1, color='0.6', linewidth=1)
        axis.set(title=measure, xlim=(0, 1.25 * max(max(v) for v in ratios)))
    axes[0].invert_yaxis()
    figure.savefig(path, dpi=120)
    plt.close(figure)
