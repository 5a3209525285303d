"""The command ``show-attention``, from the detectors to the folder of results."""

import json
import os
import os.path as osp
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import mmcv
import numpy as np
from mmengine.config import Config
from mmengine.structures import InstanceData
from tqdm import tqdm

from ..config_paths import find_config
from ..errors import UserError, first_few
from ..training.detector import load_detector
from ..training.images import find_images
from ..training.mistakes import merge_options
from ..training.outputs import check_new_folder
from .activation_maps import METHODS, activation_maps, require_grad_cam
from .detection_pictures import draw_activation_maps, draw_differences
from .differences import compare
from .gate_pictures import draw_gates, draw_variations
from .gates import attention_layers, recorded_gates, stack_gates
from .inputs import detect, read_dataset, read_images
from .tables import tell_differences, tell_gates, tell_maps

PARTS = ('gates', 'maps', 'differences')


class Settings(NamedTuple):
    """The parts that are shown, and how much of each.

    Attributes:
        parts (Sequence[str], optional): Some of ``PARTS``; by default those that can
            be shown: maps need grad-cam, differences a plain detector.
        score (float): Lowest score of a detection that counts.
        detections (int): Detections of an image that get a map.
        pictures (int): Images that are drawn; all count in the figures.
        method (str): A class of grad-cam, one of ``METHODS``.
    """

    parts: Sequence[str] | None = None
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
    cfg_options: dict | None = None,
) -> None:
    """Draws what a detector's attention does, and writes the figures beside it.

    Args:
        config (str): Config of a detector with attention, see :func:`find_config`.
        checkpoint (str): Its checkpoint.
        images (Sequence[str]): Files, folders and patterns; by default the first
            images of the config's data set for tests, with their annotations.
        max_images (int, optional): Number of images of the data set, by default 100.
        plain (tuple[str, str], optional): Config and checkpoint of the same detector
            without attention.
        out (str): The folder for the results, which is made.
        settings (Settings, optional): The parts that are shown.
        device (str, optional): See :func:`load_detector`.
        cfg_options (dict, optional): Settings of the config to change.

    Raises:
        UserError: If ``out`` has something in it or cannot be written, there are no
            images, something to be shown is not there, or the two detectors have other
            classes.
    """
    settings = _fill_parts(settings or Settings(), plain is not None)
    parts = settings.parts or ()
    check_new_folder(out)
    paths = find_images(images) if images else []
    for path in paths:
        if mmcv.imread(path) is None:
            raise UserError(f'{path} is no image that can be read')
    cfg = Config.fromfile(find_config(config))
    merge_options(cfg, cfg_options or {})
    detector = load_detector(cfg, checkpoint, device)
    class_names = list(detector.dataset_meta['classes'])
    other = None
    if plain is not None and 'differences' in parts:
        other = load_detector(*plain, device)
        theirs = list(other.dataset_meta['classes'])
        if class_names != theirs:
            raise UserError(
                f'the two detectors have other classes: {len(class_names)} '
                f'({first_few(class_names)}), and with --plain {len(theirs)} '
                f'({first_few(theirs)})'
            )
    if 'gates' in parts:
        attention_layers(detector)
    inputs = (
        read_images(detector, paths)
        if paths
        else read_dataset(detector, max_images or 100)
    )

    def path_of(*names: str) -> str:
        path = osp.join(out, *names)
        os.makedirs(osp.dirname(path), exist_ok=True)
        return path

    def is_sure(found: InstanceData) -> np.ndarray:
        return found.scores >= settings.score

    gates: list[dict] = []
    labels, maps, compared = [], [], []
    for number, image in enumerate(inputs):
        with ExitStack() as stack:
            if 'gates' in parts:
                gates.append(stack.enter_context(recorded_gates(detector)))
            found = detect(detector, image.data)
        found = found[is_sure(found)]
        labels.append((found if image.truth is None else image.truth).labels)
        if not len(found):
            tqdm.write(f'{image.path}: no detection above {settings.score}')
        name = f'{number + 1:03d}_{osp.splitext(osp.basename(image.path))[0]}.png'
        if 'maps' in parts and number < settings.pictures:
            method = settings.method
            of_maps, heats = activation_maps(
                detector, image.data, settings.detections, method
            )
            of_maps = of_maps[is_sure(of_maps)]
            heats = heats[: len(of_maps)]
            if heats:
                maps.append((image.path, of_maps, heats))
                picture = path_of('maps', name)
                draw_activation_maps(*maps[-1], class_names, method, picture)
        if other is not None:
            (again,) = read_images(other, [image.path])
            theirs = detect(other, again.data)
            sides = compare(theirs[is_sure(theirs)], found, image.truth, image.ignored)
            compared.append((image.path, *sides))
            if number < settings.pictures:
                picture = path_of('differences', name)
                draw_differences(*compared[-1], image.truth, class_names, picture)

    summary: dict[str, Any] = dict(
        config=config,
        checkpoint=checkpoint,
        plain=plain,
        images=len(labels),
        **settings._asdict(),
    )
    if 'gates' in parts:
        stacked = stack_gates(gates, labels, class_names)
        draw_gates(stacked, path_of('gates.png'))
        draw_variations(stacked, path_of('distances.png'))
        print(tell_gates(stacked, path_of('gates.csv')))
        summary['gates'] = [
            dict(layer._asdict(), **variation._asdict())
            for layer, variation in zip(stacked.layers, stacked.variations())
        ]
    if 'maps' in parts:
        print(tell_maps(maps, class_names, path_of('maps.csv')))
    if other is not None:
        print(tell_differences(compared, class_names, path_of('differences.csv')))
    with open(path_of('summary.json'), 'w') as file:
        json.dump(summary, file, indent=2)
    print(f'Look at {out}{os.sep}: {", ".join(sorted(os.listdir(out)))}')


def _fill_parts(settings: Settings, has_plain: bool) -> Settings:
    """Chooses the parts that can be shown, and says which of them cannot."""
    if settings.parts is not None:
        if 'differences' in settings.parts and not has_plain:
            raise UserError('--show differences needs --plain CONFIG CHECKPOINT')
        if 'maps' in settings.parts:
            require_grad_cam(settings.method)
        return settings
    parts = list(PARTS if has_plain else PARTS[:2])
    try:
        require_grad_cam(settings.method)
    except UserError as error:
        print(f'Without class-activation maps: {error}', file=sys.stderr)
        parts.remove('maps')
    return settings._replace(parts=parts)
