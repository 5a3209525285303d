"""The figures behind the pictures, as CSV files and as text for the terminal."""

import csv
from collections.abc import Iterable, Sequence

import numpy as np
from mmengine.structures import InstanceData

from ..visualization import text_table
from .activation_maps import ActivationMap
from .differences import VERDICTS, Compared
from .gates import Gates

_COLUMNS = ('class', 'score', 'x1', 'y1', 'x2', 'y2')


def tell_gates(gates: Gates, path: str) -> str:
    """Writes a row a channel, and returns how far each layer is from doing nothing.

    A row has the mean, the spread over images and the mean of each class.
    """
    means = [gates.class_means(layer) for layer in range(len(gates.layers))]
    labels = sorted(means[0])
    names = [f'mean of class {gates.class_names[label]}' for label in labels]
    channels = (
        [
            *(gates.layers[layer].name, channel),
            *(weights[:, channel].mean(), weights[:, channel].std()),
            *(means[layer][label][channel] for label in labels),
        ]
        for layer, weights in enumerate(gates.weights)
        for channel in range(weights.shape[1])
    )
    _write(path, ['layer', 'channel', 'mean', 'std over images', *names], channels)

    rows = [['layer', 'attention', 'mean', 'channels', 'images', 'classes', 'distance']]
    for layer, (mean, *shares) in zip(gates.layers, gates.variations()):
        kind = layer.kind + ('' if layer.has_gate else ' (no gate)')
        per_cent = (f'{100 * share:.2f} %' for share in shares)
        rows.append([layer.name, kind, f'{mean:.3f}', *per_cent])
    title = f'weights over {len(gates.weights[0])} images'
    notes = (
        'Standard deviations of the weights in per cent of their mean. 0 is a gate '
        'that is one constant, as at the identity start: it does nothing.'
    )
    if not all(layer.has_gate for layer in gates.layers):
        notes += (
            '\n(no gate): the layer does not weigh each channel by one number. Its '
            'weights are the factors that come closest to what it does to each '
            'channel; 1 is nothing for those that add to their input.'
        )
    return f'{text_table(rows, title, left_columns=2)}\n{notes}'


def tell_maps(
    maps: Sequence[tuple[str, InstanceData, Sequence[ActivationMap]]],
    class_names: Sequence[str],
    path: str,
) -> str:
    """Writes a row a map, and returns how much of the heat is in the boxes."""
    rows = [
        [image, *_detection(found, index, class_names), item.level, item.inside]
        for image, found, of_image in maps
        for index, item in enumerate(of_image)
    ]
    _write(path, ['image', *_COLUMNS, 'level', 'heat in the box'], rows)
    known = [row[-1] for row in rows if not np.isnan(row[-1])]
    line = f'{len(rows)} class-activation maps of {len(maps)} images'
    if known:
        line += f'; {100 * np.mean(known):.0f} % of the heat is in the box on average'
    if len(known) < len(rows):
        line += f'; {len(rows) - len(known)} have no heat'
    return line


def tell_differences(
    differences: Sequence[tuple[str, Compared, Compared]],
    class_names: Sequence[str],
    path: str,
) -> str:
    """Writes a row a detection, and returns what only one detector has found."""
    names = ('plain', 'with attention')
    detections = (
        [
            *(image, name, *_detection(side.found, index, class_names)),
            'both' if side.shared[index] else 'only here',
            VERDICTS[side.right[index]],
        ]
        for image, *sides in differences
        for name, side in zip(names, sides)
        for index in range(len(side.found))
    )
    header = ['image', 'detector', *_COLUMNS, 'found by', 'verdict']
    _write(path, header, detections)

    rows = [['', 'found', 'only here', 'right', 'wrong']]
    for name, sides in zip(names, zip(*(sides for _, *sides in differences))):
        counts = [side.only_here() for side in sides]
        known = any(None not in side.right for side in sides if len(side.found))
        found = sum(len(side.found) for side in sides)
        only_here = sum(sum(count.values()) for count in counts)
        verdicts = [sum(count[v] for count in counts) for v in (True, False)]
        shown = [str(count) if known else '-' for count in verdicts]
        rows.append([name, str(found), str(only_here), *shown])
    return text_table(rows, f'detections in {len(differences)} images')


def _detection(found: InstanceData, index: int, class_names: Sequence[str]) -> list:
    name = class_names[found.labels[index]]
    return [name, found.scores[index], *found.bboxes[index]]


def _write(path: str, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in rows:
            writer.writerow(
                f'{cell:.6g}' if isinstance(cell, (float, np.floating)) else cell
                for cell in row
            )
