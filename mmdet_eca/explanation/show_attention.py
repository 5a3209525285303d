"""What the command ``show-attention`` does, from the detector to the folder."""

import json
import os
import os.path as osp
from collections.abc import Sequence
from typing import Any, NamedTuple

import mmcv
import numpy as np
from mmdet.models.detectors import BaseDetector
from mmengine.structures import InstanceData
from tqdm import tqdm

from ..errors import UserError, first_few
from ..training.detector import load_detector
from ..training.images import find_images
from .activation_maps import METHODS, ActivationMap, activation_maps, require_grad_cam
from .detection_pictures import draw_activation_maps, draw_differences
from .differences import Compared, compare
from .gate_pictures import draw_gates, draw_variations
from .gates import attention_layers, recorded_gates, stack_gates
from .inputs import Input, detect, read_dataset, read_images
from .tables import tell_differences, tell_gates, tell_maps

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
    for path in paths:
        if mmcv.imread(path) is None:
            raise UserError(f'{path} is no image that can be read')
    if 'differences' in settings.parts and plain is None:
        raise UserError('--show differences needs --plain CONFIG CHECKPOINT')
    if 'maps' in settings.parts:
        require_grad_cam(settings.method)
    detector = load_detector(config, checkpoint, device)
    other = None
    if plain is not None and 'differences' in settings.parts:
        other = load_detector(*plain, device)
        mine, theirs = (list(d.dataset_meta['classes']) for d in (detector, other))
        if mine != theirs:
            raise UserError(
                f'the two detectors have other classes: {len(mine)} '
                f'({first_few(mine)}), and with --plain {len(theirs)} '
                f'({first_few(theirs)})'
            )
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
        self.maps: list[tuple[str, InstanceData, Sequence[ActivationMap]]] = []
        self.compared: list[tuple[str, Compared, Compared]] = []

    def look_at(self, number: int, image: Input) -> None:
        """Runs the detectors on an image, and draws it if it is among the first."""
        if 'gates' in self.settings.parts:
            with recorded_gates(self.detector) as gates:
                found = self._sure(detect(self.detector, image.data))
            self.gates.append(gates)
        else:
            found = self._sure(detect(self.detector, image.data))
        self.classes.append((found if image.truth is None else image.truth).labels)
        if not len(found):
            tqdm.write(f'{image.path}: no detection above {self.settings.score}')
        name = f'{number + 1:03d}_{osp.splitext(osp.basename(image.path))[0]}.png'
        is_drawn = number < self.settings.pictures
        if 'maps' in self.settings.parts and is_drawn:
            self._draw_maps(image, name)
        if self.plain is not None:
            (again,) = read_images(self.plain, [image.path])
            plain = self._sure(detect(self.plain, again.data))
            sides = compare(plain, found, image.truth, image.ignored)
            self.compared.append((image.path, *sides))
            if is_drawn:
                out_file = self._path('differences', name)
                names = self.class_names
                draw_differences(image.path, *sides, image.truth, names, out_file)

    def finish(self) -> dict[str, Any]:
        """Draws, writes and prints what all images say together."""
        figures: dict[str, Any] = {}
        os.makedirs(self.out, exist_ok=True)
        if self.gates:
            gates = stack_gates(self.gates, self.classes, self.class_names)
            draw_gates(gates, self._path('gates.png'))
            draw_variations(gates, self._path('distances.png'))
            print(tell_gates(gates, self._path('gates.csv')))
            figures['gates'] = [
                dict(layer._asdict(), **variation._asdict())
                for layer, variation in zip(gates.layers, gates.variations())
            ]
        if 'maps' in self.settings.parts:
            print(tell_maps(self.maps, self.class_names, self._path('maps.csv')))
        if self.plain is not None:
            path = self._path('differences.csv')
            print(tell_differences(self.compared, self.class_names, path))
        return figures

    def _sure(self, found: InstanceData) -> InstanceData:
        return found[found.scores >= self.settings.score]

    def _draw_maps(self, image: Input, name: str) -> None:
        method = self.settings.method
        found, maps = activation_maps(
            self.detector, image.data, self.settings.detections, method
        )
        found = self._sure(found)
        maps = maps[: len(found)]
        if maps:
            self.maps.append((image.path, found, maps))
            out_file = self._path('maps', name)
            draw_activation_maps(
                image.path, found, maps, self.class_names, method, out_file
            )

    def _path(self, *names: str) -> str:
        path = osp.join(self.out, *names)
        os.makedirs(osp.dirname(path), exist_ok=True)
        return path
