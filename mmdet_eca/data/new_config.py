"""Writes a config for a data set of the user's own."""

import contextlib
import os.path as osp
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from mmengine.config import Config

from ..config_paths import config_path, tool_path
from ..errors import UserError
from ..training.outputs import check_new_file
from ..weights.files import whole_file
from ..weights.schemes import local_path
from ..weights.sources import torchvision
from .anchors import test_pipeline
from .check_data import find_evaluation_problem
from .coco_file import CocoFile, read_coco_file, write_lists
from .config_text import config_text
from .detectors import WITH_BOXES, find_detector, short_name
from .images import check_images
from .objects import check_objects, find_other_classes
from .scale import propose_scale
from .schedule import plan_schedule

_SAMPLE = 200  # images that are read
_SHARE = 0.1  # of the images, for validation
_MOST = 5000  # as many as COCO's validation set has


def write_config(
    annotations: str,
    images: str,
    out: str,
    val: Sequence[str] | None = None,
    detector: str | None = None,
    load_from: str | None = None,
    gpus: int | None = None,
    epochs: int | None = None,
    scale: int | None = None,
    batch_size: int | None = None,
    depth: int | None = None,
    from_scratch: bool = False,
) -> str:
    """Writes a config that trains a detector on a data set in COCO's format.

    Checks the annotation files and the images first. Without ``val`` a tenth of the
    images is set aside, into two annotation files beside the config. All files appear
    whole, or none if something is wrong.

    Args:
        annotations (str): Annotation file for training.
        images (str): Folder that its file names are relative to.
        out (str): The config to write. Paths in it are as given here: relative ones
            hold in the current folder.
        val (Sequence[str], optional): Annotation file and folder for validation.
        detector (str, optional): A config of this package, with or without '_fpn_1x';
            by default 'mask_rcnn_eca_r50', or 'faster_rcnn_eca_r50' without masks.
        load_from (str, optional): A detector's checkpoint to start from, a file or an
            address; by default the backbone starts from ImageNet.
        gpus (int, optional): Number of GPUs to train on, 0 for the CPU; by default
            those that there are.
        epochs (int, optional): Number of epochs; by default 12.
        scale (int, optional): Shorter side that images are resized to, in pixels; by
            default by the sizes of images and objects.
        batch_size (int, optional): Images on each GPU, or on the CPU.
        depth (int, optional): Depth of the backbone: 18, 34, 50, 101 or 152.
        from_scratch (bool): Start from random weights, with nothing frozen.

    Returns:
        str: What the data are, what was decided, and how to start the training.

    Raises:
        UserError: If a file is missing or wrong, ``out`` exists, the data lack
            something that the detector needs, or there is no such detector.
    """
    if not out.endswith('.py'):
        raise UserError(f'--out must end in .py, got {out}')
    if gpus is not None and gpus < 0:
        raise UserError(f'--gpus must be 0 or more, got {gpus}')
    for option, value in (
        ('epochs', epochs),
        ('scale', scale),
        ('batch-size', batch_size),
    ):
        if value is not None and value < 1:
            raise UserError(f'--{option} must be 1 or more, got {value}')
    out = osp.expanduser(out)
    parts = [f'{osp.splitext(out)[0]}_{name}.json' for name in ('train', 'val')]
    for path in [out] if val else [out, *parts]:
        check_new_file(path)
    pairs = [
        (osp.expanduser(one), osp.expanduser(two))
        for one, two in [(annotations, images), *([val] if val else [])]
    ]
    # The last of the sets is evaluated with.
    train, *others = sets = [
        read_coco_file(path, evaluates=path == pairs[-1][0], folder=folder)
        for path, folder in pairs
    ]
    base = find_detector(detector, train)
    cfg = Config.fromfile(config_path(base))
    weights = _weights(cfg, load_from, depth, from_scratch)
    for data in sets:
        check_objects(data)
    if others:
        find_other_classes(train, others[0])
    warnings = []
    for data in sets:
        _check_masks(cfg, short_name(base), data)
        check_images(data, _SAMPLE, test_pipeline(cfg))
        if data is sets[-1]:
            find_evaluation_problem(data, cfg)
        data.findings.refuse_errors()
        warnings += [f'{data.path}: {found}' for found in data.findings.in_order()]
    val_set = others[0] if others else None
    with _writing(out), contextlib.ExitStack() as files:
        unfinished = files.enter_context(whole_file(out))
        if val_set:
            comment = 'for validation.'
        else:
            train, val_set = _split(train, parts, files)
            comment = (
                f'a random tenth of {annotations!r} for validation. Frames of one '
                'video must not be in both: split such data yourself.'
            )
        proposed = propose_scale(train, scale)
        if proposed.is_small:
            warnings.append(
                f'{train.path}: a quarter of the objects is smaller than '
                f'{proposed.small:.0f} x {proposed.small:.0f} pixels at '
                f'{proposed.box}: cut the images into tiles for training'
            )
        gpus = torch.cuda.device_count() if gpus is None else gpus
        schedule = plan_schedule(cfg, len(train.file_names), gpus, batch_size)
        text = config_text(
            base, train, val_set, comment, proposed, schedule, weights, epochs
        )
        with open(unfinished, 'w', encoding='utf-8') as file:
            file.write(text)
    kind = 'masks' if train.has_masks else 'boxes only'
    chosen = '' if detector else f', since the objects have {kind}'
    start = f'mmdet-eca train {shlex.quote(out)}'
    if schedule.gpus > 1:
        start = f'{tool_path("dist_train.sh")} {shlex.quote(out)} {schedule.gpus}'
    lines = [
        f'{train.path}: {train}',
        f'{val_set.path}: {val_set}, for validation',
        f'detector: {short_name(base)}{chosen}',
        f'scale: {proposed.box}. {proposed}',
        f'batch: {schedule.total} on {schedule.devices}, learning rate {schedule.lr:g}',
        *(f'warning: {warning}' for warning in warnings),
        f'{out} is written. Train: {start}',
    ]
    return '\n'.join(lines)


@contextlib.contextmanager
def _writing(path: str) -> Iterator[None]:
    """Says that a folder cannot be written to, or a disk is full, in one line."""
    try:
        yield
    except OSError as error:
        raise UserError(f'{path} cannot be written: {error}') from None


def _check_masks(cfg: Config, detector: str, data: CocoFile) -> None:
    if 'segm' in cfg.val_evaluator.metric and not data.has_masks:
        without = int((~data.has_mask[data.is_used]).sum())
        raise UserError(
            f'{detector} needs masks, but {without:,} of {data.is_used.sum():,} '
            f'objects in {data.path} have no segmentation: take --detector {WITH_BOXES}'
        )


def _split(
    data: CocoFile, parts: Sequence[str], files: contextlib.ExitStack
) -> tuple[CocoFile, CocoFile]:
    """Sets a tenth of the images with objects aside, the same ones at each call."""
    with_objects = np.unique(data.images[data.is_used])
    if len(with_objects) < 2:
        raise UserError(
            f'{data.path} has objects in one image only, which cannot be split: give '
            '--val ANNOTATIONS IMAGES'
        )
    count = min(max(1, round(_SHARE * len(with_objects))), _MOST)
    chosen = np.random.default_rng(0).choice(with_objects, count, replace=False)
    is_val = np.zeros(len(data.image_ids), bool)
    is_val[chosen] = True
    sets = []
    for path, images in zip(parts, (~is_val, is_val)):
        unfinished = files.enter_context(whole_file(path))
        write_lists(
            unfinished,
            images=[data.lists.images[i] for i in np.flatnonzero(images)],
            annotations=[
                data.lists.annotations[i] for i in np.flatnonzero(images[data.images])
            ],
            categories=data.lists.categories,
        )
        part = read_coco_file(unfinished, folder=data.folder)
        sets.append(replace(part, path=path))
    return sets[0], sets[1]


def _weights(
    cfg: Config, load_from: str | None, depth: int | None, from_scratch: bool
) -> tuple[dict, str]:
    """Settings of the model and where it starts from, and a sentence on them."""
    backbone = cfg.model.backbone
    attends = backbone.type != 'ResNet'
    changed: dict = {}
    model = dict(backbone=changed)
    if depth not in (None, backbone.depth):
        model['neck'] = _change_depth(cfg, changed, depth)
    if from_scratch:
        if load_from is not None:
            raise UserError('--from-scratch and --load-from exclude each other')
        changed.update(init_cfg=None, frozen_stages=-1, norm_eval=False)
        return dict(model=model), 'From random weights: that takes many epochs.'
    if attends:
        changed.update(frozen_stages=0)
    identity = ' The attention starts as the identity.' if attends else ''
    if load_from is not None:
        path = local_path(load_from)
        if path is not None and not osp.isfile(osp.expanduser(path)):
            raise UserError(f'checkpoint {path} does not exist: check --load-from')
        changed.update(init_cfg=None)
        return (
            dict(model=model, load_from=load_from),
            'All weights that fit are of load_from; layers that count classes are new.'
            + (' Attention that it lacks starts as the identity.' if attends else ''),
        )
    if backbone.init_cfg is None:  # of a base that starts from a whole detector
        if depth not in (None, backbone.depth):
            raise UserError(
                f'--depth {depth}: this detector starts from {cfg.load_from}; give '
                '--detector mask_rcnn_eca_r50, or --load-from'
            )
        return {}, f'All weights that fit start from {cfg.load_from}.'
    path = local_path(backbone.init_cfg.checkpoint)
    if 'depth' not in changed and (path is None or osp.isfile(path)):
        return {}, f'The backbone starts from {backbone.init_cfg.checkpoint!r}.'
    plain = torchvision.address(depth or backbone.depth)
    changed.update(init_cfg=dict(type='Pretrained', checkpoint=plain))
    why = '' if 'depth' in changed else f', since {path} is not there'
    return (
        dict(model=model),
        f"torchvision's ImageNet weights are downloaded once{why}.{identity}",
    )


def _change_depth(cfg: Config, changed: dict, depth: int | None) -> dict:
    """Changes a backbone's settings, and returns those of the neck after it.

    Raises:
        UserError: If the backbone is no ResNet, or there is no such depth.
    """
    backbone = cfg.model.backbone
    if not str(backbone.type).endswith('ResNet') or not torchvision.address(depth):
        raise UserError(
            f'--depth {depth}: the backbone is {backbone.type}; a ResNet, ECAResNet or '
            'SEResNet takes 18, 34, 50, 101 or 152'
        )
    changed.update(depth=depth)
    if 'kernel_size' in backbone:  # the authors' of another depth
        changed.update(kernel_size=None)
    # Basic blocks have a quarter of the channels.
    basic = 4 if depth in (18, 34) else 1
    return dict(in_channels=[count // basic for count in cfg.model.neck.in_channels])
