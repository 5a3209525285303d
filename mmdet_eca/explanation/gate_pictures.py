"""Pictures of the gates, as the papers on SE and ECA print them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..visualization import figure
from .gates import Gates

# So many lines can be told apart; the papers draw four or five classes.
_MOST_LINES = 5


def draw_gates(gates: Gates, out_file: str) -> None:
    """Draws the weights of the channels in the last block of each stage.

    On the left a line a class, at most five, over the channels: Figures 5 and 6 of
    ECA-Net (CVPR 2020). On the right the channels in the order of their weights, with
    the spread over images.

    Args:
        gates (Gates): The weights on some images.
        out_file (str): The picture to write.
    """
    layers = _last_of_stages([layer.name for layer in gates.layers])
    size = (15, 1 + 2.6 * len(layers))
    with figure(out_file, 2 * len(layers), size, legend_outside=True, columns=2) as (
        panels
    ):
        for left, right, layer in zip(panels[::2], panels[1::2], layers):
            _draw_classes(left, gates, layer)
            _draw_sorted(right, gates.weights[layer])
            name, kind, has_gate = gates.layers[layer]
            note = '' if has_gate else ', which has no gate: closest factor a channel'
            left.set_title(f'{name}: {kind}{note}', fontsize='medium', loc='left')
            left.set_ylabel('weight of the channel')
            low, high = left.get_ylim()
            middle, half = (low + high) / 2, max((high - low) / 2, 0.005)
            for panel in (left, right):  # all are one constant at the identity start
                panel.set_ylim(middle - half, middle + half)
        panels[0].figure.suptitle(
            'Weights of the channels, in the last block of each stage: '
            'the mean for images with a class (left), the spread over images (right)'
        )
        panels[-2].set_xlabel('channel, in the order of the network')
        panels[-1].set_xlabel('channel, in the order of its mean weight')


def draw_variations(gates: Gates, out_file: str) -> None:
    """Draws how far each layer is from doing nothing, see :class:`GateVariation`."""
    parts = (
        ('channels', 'between channels\n(mean over images)', 'tab:blue'),
        ('images', 'between images\n(of one channel)', 'tab:orange'),
        ('classes', 'between classes\n(of one channel)', 'tab:green'),
    )
    names = [layer.name.removeprefix('backbone.') for layer in gates.layers]
    variations = gates.variations()
    places = np.arange(len(names))
    size = (4 + 0.45 * len(names), 5)
    with figure(out_file, 1, size, legend_outside=True) as (panel,):
        for offset, (part, label, color) in zip((-0.27, 0, 0.27), parts):
            shares = [100 * getattr(value, part) for value in variations]
            panel.bar(places + offset, shares, width=0.27, label=label, color=color)
        panel.set_xticks(places, names, rotation=60, ha='right')
        panel.set(
            title='How far each attention is from doing nothing\n'
            '0 % is one constant for all channels and images',
            ylabel='standard deviation of the weights, % of their mean',
        )
        if not any(value.total > 0 for value in variations):
            panel.set_ylim(0, 1)


def _last_of_stages(names: Sequence[str]) -> list[int]:
    """Returns the indices of the last layer of each stage, such as 'backbone.layer1'.

    Parts other than the backbone have one stage a layer.
    """
    last: dict[str, int] = {}
    for index, name in enumerate(names):
        stage = name.rpartition('.')[0] if name.startswith('backbone.') else name
        last[stage] = index
    return list(last.values())


def _draw_classes(panel: Any, gates: Gates, layer: int) -> None:
    means, weights = gates.class_means(layer), gates.weights[layer]
    counts = gates.present.sum(0)
    drawn = sorted(means, key=lambda label: -counts[label])[:_MOST_LINES]
    channels = np.arange(weights.shape[1])
    if len(means) > len(drawn):
        values = np.stack(list(means.values()))
        label = f'lowest and highest mean\nof all {len(means)} classes'
        low, high = values.min(0), values.max(0)
        panel.fill_between(channels, low, high, color='0.8', label=label)
    for number in sorted(drawn):
        name = f'class {gates.class_names[number]} ({_images(counts[number])})'
        color = f'C{drawn.index(number)}'
        panel.plot(channels, means[number], linewidth=0.8, color=color, label=name)
    if not means:
        panel.plot(channels, weights.mean(0), linewidth=0.8, label='mean over images')
    _draw_constant(panel, weights)


def _draw_sorted(panel: Any, weights: np.ndarray) -> None:
    weights = weights[:, np.argsort(weights.mean(0))]
    ranks = np.arange(weights.shape[1])
    mean, std = weights.mean(0), weights.std(0)
    style: dict[str, Any] = dict(color='tab:purple', alpha=0.3, linewidth=0)
    label = 'one standard deviation\nover images'
    panel.fill_between(ranks, mean - std, mean + std, label=label, **style)
    label = f'mean over {_images(len(weights))}'
    panel.plot(ranks, mean, color='tab:purple', label=label)
    _draw_constant(panel, weights)


def _draw_constant(panel: Any, weights: np.ndarray) -> None:
    label = 'mean over channels: a gate that\ndoes nothing is all on it'
    style: dict[str, Any] = dict(color='black', linestyle='--', linewidth=1)
    panel.axhline(np.nanmean(weights), label=label, **style)
    panel.margins(x=0.01)


def _images(count: int) -> str:
    return f'{count} image{"" if count == 1 else "s"}'
