"""The figures behind the pictures, as tables for the terminal and CSV files."""

import csv
from collections.abc import Iterable, Sequence

import numpy as np

from ..visualization import text_table
from .activation_maps import ActivationMap
from .differences import Compared
from .gates import Distance, Gates
from .inputs import Objects

Maps = Sequence[tuple[str, Objects, Sequence[ActivationMap]]]
Differences = Sequence[tuple[str, Compared, Compared]]


def distances_table(gates: Gates, distances: Sequence[Distance]) -> str:
    """How far each layer is from doing nothing, for the terminal."""
    rows = [['layer', 'attention', 'mean', 'channels', 'images', 'classes', 'distance']]
    for layer, value in zip(gates.layers, distances):
        shares = (value.channels, value.images, value.classes, value.total)
        mark = '' if layer.has_gate else ' (no gate)'
        rows.append(
            [
                layer.name,
                layer.kind + mark,
                f'{value.mean:.3f}',
                *(f'{100 * share:.2f} %' for share in shares),
            ]
        )
    number = len(gates.weights[0])
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
    table = text_table(rows, f'weights over {number} images', left_columns=2)
    return f'{table}\n{notes}'


def maps_table(maps: Maps) -> str:
    """How much of each map is inside of its box, for the terminal."""
    shares = [item.inside for _, _, of_image in maps for item in of_image]
    known = [share for share in shares if share == share]
    line = f'{len(shares)} class-activation maps of {len(maps)} images'
    if known:
        line += f'; {100 * np.mean(known):.0f} % of the heat is in the box on average'
    if len(known) < len(shares):
        line += f'; {len(shares) - len(known)} have no heat'
    return line


def differences_table(differences: Differences) -> str:
    """What only one of the two detectors has found, for the terminal."""
    rows = [['', 'found', 'only here', 'right', 'wrong']]
    plain, attention = zip(*((plain, attention) for _, plain, attention in differences))
    for name, sides in (('plain', plain), ('with attention', attention)):
        counts = [one.only_here() for one in sides]
        known = any(None not in one.right for one in sides if len(one.found))
        rows.append(
            [
                name,
                str(sum(len(one.found) for one in sides)),
                str(sum(sum(count.values()) for count in counts)),
                *(
                    str(sum(count[verdict] for count in counts)) if known else '-'
                    for verdict in (True, False)
                ),
            ]
        )
    return text_table(rows, f'detections in {len(differences)} images')


def write_gates(gates: Gates, path: str) -> None:
    """Writes a row a channel: mean, spread over images, mean of each class."""
    means = [gates.class_means(layer) for layer in range(len(gates.layers))]
    labels = sorted(means[0])
    names = [f'mean of class {gates.class_names[label]}' for label in labels]
    rows = (
        [
            gates.layers[layer].name,
            channel,
            *map(float, (weights[:, channel].mean(), weights[:, channel].std())),
            *(float(means[layer][label][channel]) for label in labels),
        ]
        for layer, weights in enumerate(gates.weights)
        for channel in range(weights.shape[1])
    )
    _write(path, ['layer', 'channel', 'mean', 'std over images', *names], rows)


def write_maps(maps: Maps, class_names: Sequence[str], path: str) -> None:
    """Writes a row a map: the detection, and the share of the heat in its box."""
    rows = (
        [image, *_detection(found, index, class_names), item.level, item.inside]
        for image, found, of_image in maps
        for index, item in enumerate(of_image)
    )
    _write(path, ['image', *_COLUMNS, 'level', 'heat in the box'], rows)


def write_differences(
    differences: Differences, class_names: Sequence[str], path: str
) -> None:
    """Writes a row a detection: whose it is, and whether the other has it."""
    rows = (
        [
            image,
            name,
            *_detection(side.found, index, class_names),
            'both' if side.shared[index] else 'only here',
            {True: 'right', False: 'wrong', None: 'unknown'}[side.right[index]],
        ]
        for image, *sides in differences
        for name, side in zip(('plain', 'with attention'), sides)
        for index in range(len(side.found))
    )
    _write(path, ['image', 'detector', *_COLUMNS, 'found by', 'verdict'], rows)


_COLUMNS = ('class', 'score', 'x1', 'y1', 'x2', 'y2')


def _detection(found: Objects, index: int, class_names: Sequence[str]) -> list:
    return [
        class_names[found.labels[index]],
        float(found.scores[index]),
        *map(float, found.boxes[index]),
    ]


def _write(path: str, header: Sequence[str], rows: Iterable[Sequence]) -> None:
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for row in rows:
            writer.writerow(
                f'{cell:.6g}' if isinstance(cell, float) else cell for cell in row
            )
