"""What the command ``show-attention`` does, from the detector to the folder."""

import json
import os
import os.path as osp
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmdet.models.detectors import BaseDetector
from tqdm import tqdm

from ..engine import find_images, load_detector
from ..errors import UserError, first_few
from .activation_maps import METHODS, ActivationMap, activation_maps, require_grad_cam
from .activation_pictures import draw_activation_maps
from .difference_pictures import draw_differences
from .differences import Compared, compare
from .gate_pictures import draw_distances, draw_gates
from .gates import (
    Distance,
    Gates,
    attention_layers,
    distances,
    recorded_gates,
    stack_gates,
)
from .inputs import Input, Objects, check_readable, detect, read_dataset, read_images
from .results import (
    differences_table,
    distances_table,
    maps_table,
    write_differences,
    write_gates,
    write_maps,
)

PARTS = ('gates', 'maps', 'differences')


class Settings(NamedTuple):
    """What is shown, and of how much.

    Attributes:
        parts (Sequence[str]): Of ``PARTS``.
        score (float): Lowest score of a detection that counts.
        detections (int): Detections of an image that get a map.
        pictures (int): Images that are drawn; all count in the figures.
        method (str): A class of grad-cam, one of ``METHODS``.
    """

    parts: Sequence[str] = ('gates', 'maps')
    score: float = 0.3
    detections: int = 3
    pictures: int = 10
    method: str = METHODS[0]


def show_attention(
    config: str,
    checkpoint: str,
    images: Sequence[str] = (),
    max_images: int | None = None,
    plain: tuple[str, str] | None = None,
    out: str = 'work_dirs/attention',
    settings: Settings | None = None,
    device: str | None = None,
) -> None:
    """Draws what a detector's attention does, and writes the figures beside it.

    Args:
        config (str): Of a detector with attention, as :func:`find_config` takes it.
        checkpoint (str): Its checkpoint.
        images (Sequence[str]): Files, folders and patterns. None takes the first
            ``max_images`` of the config's data set for tests, with its annotations.
        max_images (int, optional): How many of the data set.
        plain (tuple[str, str], optional): Config and checkpoint of the same detector
            without attention.
        out (str): The folder for the results, which is made.
        settings (Settings, optional): What is shown.
        device (str, optional): As of :func:`load_detector`.

    Raises:
        UserError: If ``out`` has something in it, there are no images, what is to be
            shown is not there, or the two detectors have other classes.
    """
    settings = settings or Settings()
    if osp.exists(out) and (not osp.isdir(out) or os.listdir(out)):
        raise UserError(f'{out} exists and is not empty: give another --out')
    paths = find_images(images) if images else []
    check_readable(paths)
    if 'differences' in settings.parts and plain is None:
        raise UserError('--show differences needs --plain CONFIG CHECKPOINT')
    if 'maps' in settings.parts:
        require_grad_cam(settings.method)
    detector = load_detector(config, checkpoint, device)
    other = None
    if plain is not None and 'differences' in settings.parts:
        other = load_detector(*plain, device)
        _check_same_classes(detector, other)
    if 'gates' in settings.parts:
        attention_layers(detector)
    inputs = (
        read_images(detector, paths)
        if paths
        else read_dataset(detector, max_images or 100)
    )
    run = _Run(detector, other, out, settings)
    for number, image in enumerate(tqdm(inputs, desc='images', unit='image')):
        run.look_at(number, image)
    summary = dict(
        config=config,
        checkpoint=checkpoint,
        plain=plain,
        images=len(inputs),
        **settings._asdict(),
        **run.finish(),
    )
    with open(osp.join(out, 'summary.json'), 'w') as file:
        json.dump(summary, file, indent=2)
    print(f'Look at {out}{os.sep}: {", ".join(sorted(os.listdir(out)))}')


def _check_same_classes(detector: BaseDetector, other: BaseDetector) -> None:
    mine, theirs = (list(d.dataset_meta['classes']) for d in (detector, other))
    if mine != theirs:
        raise UserError(
            f'the two detectors have other classes: {len(mine)} ({first_few(mine)}), '
            f'and with --plain {len(theirs)} ({first_few(theirs)})'
        )


class _Run:
    """Goes through the images one by one, and then sums up."""

    def __init__(
        self,
        detector: BaseDetector,
        plain: BaseDetector | None,
        out: str,
        settings: Settings,
    ) -> None:
        self.detector = detector
        self.plain = plain
        self.out = out
        self.settings = settings
        self.class_names: Sequence[str] = detector.dataset_meta['classes']
        self.gates: list[dict] = []
        self.classes: list[np.ndarray] = []
        self.maps: list[tuple[str, Objects, Sequence[ActivationMap]]] = []
        self.compared: list[tuple[str, Compared, Compared]] = []

    def look_at(self, number: int, image: Input) -> None:
        """Runs the detectors on an image, and draws it if it is among the first."""
        found = self._detect(image).above(self.settings.score)
        known = found if image.truth is None else image.truth
        self.classes.append(known.labels)
        if not len(found):
            tqdm.write(f'{image.path}: no detection above {self.settings.score}')
        name = f'{number + 1:03d}_{osp.splitext(osp.basename(image.path))[0]}.png'
        if 'maps' in self.settings.parts and number < self.settings.pictures:
            self._draw_maps(image, name)
        if self.plain is not None:
            self._compare(image, found, name, number < self.settings.pictures)

    def finish(self) -> dict[str, Any]:
        """Draws, writes and prints what all images say together."""
        figures: dict[str, Any] = {}
        os.makedirs(self.out, exist_ok=True)
        if self.gates:
            gates = stack_gates(self.gates, self.classes, self.class_names)
            figures['gates'] = self._show_gates(gates)
        if 'maps' in self.settings.parts:
            write_maps(self.maps, self.class_names, osp.join(self.out, 'maps.csv'))
            print(maps_table(self.maps))
        if self.plain is not None:
            path = osp.join(self.out, 'differences.csv')
            write_differences(self.compared, self.class_names, path)
            print(differences_table(self.compared))
        return figures

    def _detect(self, image: Input) -> Objects:
        if 'gates' not in self.settings.parts:
            return detect(self.detector, image.data)
        with recorded_gates(self.detector) as gates:
            found = detect(self.detector, image.data)
        self.gates.append(gates)
        return found

    def _draw_maps(self, image: Input, name: str) -> None:
        found, maps = activation_maps(
            self.detector, image.data, self.settings.detections, self.settings.method
        )
        found = found.above(self.settings.score)
        maps = maps[: len(found)]
        if maps:
            self.maps.append((image.path, found, maps))
            draw_activation_maps(
                image.path,
                found,
                maps,
                self.class_names,
                self.settings.method,
                self._path('maps', name),
            )

    def _compare(self, image: Input, found: Objects, name: str, drawn: bool) -> None:
        assert self.plain is not None
        (again,) = read_images(self.plain, [image.path])
        plain = detect(self.plain, again.data).above(self.settings.score)
        sides = compare(plain, found, image.truth, image.ignored)
        self.compared.append((image.path, *sides))
        if drawn:
            draw_differences(
                image.path,
                *sides,
                image.truth,
                self.class_names,
                self._path('differences', name),
            )

    def _show_gates(self, gates: Gates) -> list[dict]:
        names = [layer.name for layer in gates.layers]
        away: list[Distance] = distances(gates)
        draw_gates(gates, osp.join(self.out, 'gates.png'))
        draw_distances(names, away, osp.join(self.out, 'distances.png'))
        write_gates(gates, osp.join(self.out, 'gates.csv'))
        print(distances_table(gates, away))
        return [
            dict(layer._asdict(), **value._asdict())
            for layer, value in zip(gates.layers, away)
        ]

    def _path(self, folder: str, name: str) -> str:
        os.makedirs(osp.join(self.out, folder), exist_ok=True)
        return osp.join(self.out, folder, name)
