"""Table 1: what each system's attention is like, found in its layers."""

import sys
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.utils import track_iter_progress
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from ..engine import config_path
from ..models.attention import AttentionLayer
from ..visualization import text_table
from .paper_rows import load_tick_rows

PLAIN = 'resnet50'
REFERENCE = 'se_resnet50'  # that a lightweight system has fewer weights than
TICKS = ('no_reduction', 'cross_channel', 'lightweight')
MAP_SIZE = 3
NOTES = """\
no reduction: no layer of the attention has fewer outputs than the C channels; in
  brackets the fewest (of CBAM those of its gate of the positions).
cross-channel: an output channel depends on other input channels, by the Jacobian in
  float64 with random weights; in brackets the number of channels that it depends on.
lightweight: fewer weights in a ResNet-50 than SENet's; in brackets their number.
GSoP-Net has as many as the code of its authors, a block in all four stages. With the
  28.05 x 10^6 parameters of Table 3 it has 2,497,408, fewer than SENet, whose 26.77 x
  2^20 there are 28.07 x 10^6."""


def property_rows() -> list[dict[str, Any]]:
    """Finds the ticks of Table 1; shows its progress on stderr.

    Returns:
        list[dict]: A dict a system. ``no_reduction``, ``cross_channel`` and
        ``lightweight`` are its ticks (the last is None for SENet), the paper's are
        ``paper_...``, and ``agrees`` says whether they are the same. Of the first
        attention layer in its ResNet-50 ``channels`` is C, ``narrowest`` the fewest
        outputs of one of its layers, and ``reach`` the largest number of channels
        whose input an output channel depends on. ``weights`` is the number of
        weights that the attention adds to ResNet-50.
    """
    init_default_scope('mmdet')
    ticks = load_tick_rows()
    rows = []
    plain = _weights(PLAIN)
    reference = _weights(REFERENCE) - plain
    for row in track_iter_progress(ticks, file=sys.stderr):
        layer = first_layer(row.name)
        weights = _weights(row.name) - plain
        narrowest, reach = narrowest_width(layer), channel_reach(layer)
        found = dict(
            no_reduction=narrowest >= layer.in_channels,
            cross_channel=reach > 1,
            lightweight=None if row.name == REFERENCE else weights < reference,
        )
        paper = {tick: getattr(row, tick) for tick in TICKS}
        rows.append(
            dict(
                table=1,
                name=row.name,
                model=row.model,
                layer=type(layer).__name__,
                channels=layer.in_channels,
                narrowest=narrowest,
                reach=reach,
                weights=weights,
                **found,
                **{f'paper_{tick}': value for tick, value in paper.items()},
                agrees=found == paper,
            )
        )
    print(file=sys.stderr)  # ends the line of the progress bar
    return rows


def first_layer(name: str) -> AttentionLayer:
    """A classifier's first attention layer in float64, with random weights.

    Args:
        name (str): Name of its config in ``configs/imagenet``. Where kernels are as
            large as the maps, these are of 3x3.

    Returns:
        AttentionLayer: The layer, in evaluation mode.
    """
    cfg = _load(name).backbone
    if 'image_size' in cfg:
        cfg.image_size = 4 * MAP_SIZE
    with torch.device('meta'):
        backbone = MODELS.build(cfg)
    layer = next(m for m in backbone.modules() if isinstance(m, AttentionLayer))
    layer = layer.to_empty(device='cpu').double().eval()
    generator = torch.Generator().manual_seed(0)
    # All are positive and preserve the size of their inputs, which are positive too:
    # no ReLU is zero, and no sigmoid is so near to 1 that its gradient is zero.
    for name, tensor in layer.state_dict().items():
        if name.endswith('running_mean'):
            tensor.zero_()
        elif tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5, generator=generator)
            if tensor.ndim > 1:
                tensor /= tensor[0].numel()
    return layer


def _input(layer: AttentionLayer) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.empty(1, layer.in_channels, MAP_SIZE, MAP_SIZE, dtype=torch.float64)
    return x.uniform_(0.5, 1.5, generator=generator)


def narrowest_width(layer: AttentionLayer) -> int:
    """The fewest outputs, at each position, of a convolution or linear layer in it.

    Returns:
        int: Their number; that of the channels if it has no such layer.
    """
    widths = [layer.in_channels]

    def note_width(module: nn.Module, inputs: Any, output: Tensor) -> None:
        positions = output[0, 0].numel() if output.ndim == 4 else 1
        widths.append(output[0].numel() // positions)

    handles = [
        module.register_forward_hook(note_width)
        for module in layer.modules()
        if isinstance(module, (_ConvNd, nn.Linear))
    ]
    with torch.no_grad():
        layer(_input(layer))
    for handle in handles:
        handle.remove()
    return min(widths)


def channel_reach(layer: AttentionLayer) -> int:
    """On how many channels of the input a channel of the output depends, at most."""
    x = _input(layer).requires_grad_()
    # A random sum over the positions, in which nothing cancels.
    sums = (layer(x) * torch.rand_like(x)).sum(dim=(0, 2, 3))
    gradients = (torch.autograd.grad(total, x, retain_graph=True)[0] for total in sums)
    return max(int(gradient[0].flatten(1).any(1).sum()) for gradient in gradients)


def _load(name: str) -> ConfigDict:
    return Config.fromfile(config_path(f'imagenet/{name}.py')).model


def _weights(name: str) -> int:
    with torch.device('meta'):
        classifier = MODELS.build(_load(name))
    return sum(weight.numel() for weight in classifier.parameters())


def property_text(rows: list[dict[str, Any]]) -> str:
    """The ticks as a table, with the paper's where it has another, and notes."""
    cells = [['Table 1', 'no reduction', 'cross-channel', 'lightweight']]
    for row in rows:
        figures = (
            f'{row["narrowest"]} of {row["channels"]}',
            f'{row["reach"]} of {row["channels"]}',
            f'{row["weights"]:,}',
        )
        cells.append(
            [row['model']]
            + [
                f'{_mark(row[tick], row[f"paper_{tick}"])} ({figure})'
                for tick, figure in zip(TICKS, figures)
            ]
        )
    same = sum(row['agrees'] for row in rows)
    verdict = f'{same} of {len(rows)} rows agree with the paper.'
    return '\n'.join([text_table(cells, left_columns=4), verdict, NOTES])


def _mark(found: bool | None, paper: bool | None) -> str:
    names = {True: 'yes', False: 'no', None: '-'}
    if found == paper:
        return names[found]
    return f'{names[found]}, paper: {names[paper]}'
