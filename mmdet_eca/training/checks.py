"""Finds a user's mistakes before a run writes anything."""

import copy
import os
import os.path as osp
from collections.abc import Iterator, Sequence
from typing import Any

from mmcv.cnn import VGG
from mmdet.datasets import CocoDataset
from mmdet.datasets.transforms import PackDetInputs
from mmdet.models.backbones import ResNet
from mmdet.models.dense_heads import GARPNHead, RPNHead, StageCascadeRPNHead
from mmdet.models.roi_heads.mask_heads import FusedSemanticHead
from mmdet.registry import DATASETS, MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.model import PretrainedInit
from mmengine.registry import init_default_scope
from torch import nn

from ..config_paths import tool_path
from ..errors import UserError, first_few
from ..weights.files import read_checkpoint
from ..weights.schemes import local_path
from ..weights.sources import torchvision
from .config import dataset_metainfo, innermost_datasets, values_of
from .mistakes import check_keys

AUTHORS_PAGE = 'https://github.com/BangguWu/ECANet'


def check_config(cfg: Config, loaders: tuple[str, ...]) -> None:
    """Checks that the run which ``cfg`` describes can succeed.

    Checks the model's arguments, the files and folders that the run reads, the
    numbers of classes, and part of the data (:func:`mmdet_eca.data.quick_check`,
    :func:`mmdet_eca.data.check_evaluation`).
    Writes nothing and leaves ``cfg`` as it is. With ``check_config=False`` in the
    config nothing is checked.

    Args:
        cfg (Config): A whole config.
        loaders (tuple[str]): The data loaders that the run uses, out of 'train',
            'val' and 'test'.

    Raises:
        UserError: If something is missing or does not fit; the message names it
            and says what to do.
    """
    if not cfg.get('check_config', True):
        return
    check_keys(cfg)
    init_default_scope(cfg.get('default_scope') or 'mmdet')
    if isinstance(cfg.get('resume'), str):  # to mmengine any text means True
        raise UserError(
            f'resume={cfg.resume!r} must be True or False: the '
            'checkpoint to resume from is load_from'
        )
    if not isinstance(cfg.get('load_from'), str | None):
        raise UserError(
            f'load_from={cfg.load_from!r} must be one file; a comma in --cfg-options '
            'makes a list: load_from="\\"A, B.pth\\""'
        )
    _check_loops(cfg, loaders)
    loaded = _check_checkpoint(cfg.get('load_from'), 'checkpoint', 'check its path')
    if 'train' in loaders:
        _check_pretrained(cfg.model)
    model = MODELS.build(copy.deepcopy(cfg.model))
    _check_neck(model)
    if 'train' in loaders and loaded is not None and not cfg.get('resume'):
        _check_backbone_of(cfg.load_from, loaded, model)
    for loader in loaders:
        if cfg.get(f'{loader}_dataloader') is not None:
            for dataset in innermost_datasets(cfg[f'{loader}_dataloader'].dataset):
                place = _place(cfg[f'{loader}_dataloader'], f'{loader}_dataloader')
                _check_dataset(dataset, loader, model, place)
            for ann_file in values_of(cfg.get(f'{loader}_evaluator'), 'ann_file'):
                _check_file(
                    ann_file, 'annotation file', f'set {loader}_evaluator.ann_file'
                )
            if loader != 'train':
                _check_evaluation(cfg, loader)


def _check_loops(cfg: Config, loaders: tuple[str, ...]) -> None:
    """Checks that a loop has all that it needs, or is turned off as a whole."""
    for loader in ('train', 'val', 'test'):
        parts = [f'{loader}_dataloader', f'{loader}_cfg']
        parts.append('optim_wrapper' if loader == 'train' else f'{loader}_evaluator')
        given = any(cfg.get(part) is not None for part in parts)
        off = parts[0] in cfg and cfg[parts[0]] is None  # a base config may lack it
        if off and (given or loader in loaders[:1]):
            raise UserError(
                f'{parts[0]} is None: {loader} needs {", ".join(parts)}; to do without '
                'it, set all three to None'
            )


def _check_neck(model: nn.Module) -> None:
    """Checks that a neck takes the channels that a ResNet before it gives."""
    backbone, neck = getattr(model, 'backbone', None), getattr(model, 'neck', None)
    taken = getattr(neck, 'in_channels', None)
    if not isinstance(backbone, ResNet) or not isinstance(taken, (list, tuple)):
        return
    given = []
    for stage in backbone.out_indices:
        *_, block = getattr(backbone, backbone.res_layers[stage])
        last = block.conv3 if hasattr(block, 'conv3') else block.conv2
        given.append(last.out_channels)
    if list(taken) != given:
        raise UserError(
            f'model.neck.in_channels={list(taken)}, but the backbone gives maps of '
            f'{given} channels: set model.neck.in_channels="{given}", or another '
            'model.backbone.depth or out_indices'
        )


def _check_pretrained(model: Any) -> None:
    """Checks every checkpoint that the model's config starts from.

    mmengine names it in ``init_cfg``, MMDetection 2.x in ``pretrained``.

    Raises:
        UserError: If one is missing or cannot be loaded by its name.
    """
    remedy = _other_weights(model)
    for init_cfg in values_of(model, 'init_cfg'):
        for init in init_cfg if isinstance(init_cfg, (list, tuple)) else [init_cfg]:
            if init is not None and init.get('type') in ('Pretrained', PretrainedInit):
                if not isinstance(init.get('checkpoint'), str):
                    raise UserError(
                        f'{dict(init)} in init_cfg has no '
                        'checkpoint: name a file or a URL'
                    )
                _check_checkpoint(init['checkpoint'], 'pretrained weights', remedy)
    for pretrained in values_of(model, 'pretrained'):
        if isinstance(pretrained, str):
            _check_checkpoint(pretrained, 'pretrained weights', remedy)


def _other_weights(model: Any) -> str:
    """Returns from where else a backbone can start, what needs no file first."""
    backbone = model.get('backbone') or {}
    plain = torchvision.address(backbone.get('depth'))
    at_once = (
        "to start at once, from torchvision's plain weights with attention that "
        'begins as the identity: --cfg-options model.backbone.init_cfg.checkpoint='
        f'{plain} model.backbone.frozen_stages=0; '
        if plain and str(backbone.get('type')).endswith('ResNet')
        else ''
    )
    return (
        f'{at_once}to pretrain it yourself: {tool_path("pretrain_imagenet.py")}; the '
        f'ECA-Net authors share their weights at {AUTHORS_PAGE}; without any: '
        '--cfg-options model.backbone.init_cfg=None model.backbone.frozen_stages=-1 '
        'model.backbone.norm_eval=False'
    )


def _check_checkpoint(name: str | None, what: str, remedy: str) -> Any:
    """Returns a local checkpoint's content; None for what a run downloads."""
    path = None if name is None else local_path(name)
    _check_file(path, what, remedy)
    return None if path is None or not osp.isfile(path) else read_checkpoint(path)


def _check_backbone_of(checkpoint: str, content: Any, model: nn.Module) -> None:
    """Checks that a detector's checkpoint is not of another backbone.

    mmengine logs other shapes and trains what does not fit from scratch. For a head
    with other classes that is what users want.
    """
    weights = content.get('state_dict', content)
    if not any(name.startswith('backbone.') for name in weights):
        return
    own = model.state_dict()
    blocks = {_block(name) for name in weights}
    lacking = [name for name in own if 'backbone.layer' in _block(name)]
    lacking = [name for name in lacking if _block(name) not in blocks]
    if lacking:
        raise UserError(
            f'load_from={checkpoint} is of another backbone: it has no '
            f'{_block(lacking[0])}; compare depth and type of model.backbone'
        )
    for name, value in own.items():
        found = weights.get(name)
        if name.startswith('backbone.') and getattr(found, 'shape', value.shape) != (
            value.shape
        ):
            raise UserError(
                f'load_from={checkpoint} is of another backbone: {name} has shape '
                f'{tuple(found.shape)} there and {tuple(value.shape)} in this config; '
                'compare depth and type of model.backbone'
            )


def _block(name: str) -> str:
    """Returns 'backbone.layer1.2' of 'backbone.layer1.2.conv1.weight'."""
    return '.'.join(name.split('.')[:3])


def _check_file(path: Any, what: str, remedy: str = 'check its path') -> None:
    if path is not None and _is_local(path) and not osp.isfile(osp.expanduser(path)):
        raise UserError(f'{what} {path} does not exist: {remedy}')


def _is_local(path: str) -> bool:
    return '://' not in path


def _check_evaluation(cfg: Config, loader: str) -> None:
    """Checks the evaluator, if all data sets are COCO files on this machine."""
    from ..data import check_evaluation

    dataset = cfg[f'{loader}_dataloader'].dataset
    evaluator = cfg.get(f'{loader}_evaluator')
    if evaluator and all(
        inner.get('backend_args') is None
        and inner.get('ann_file', '').endswith('.json')
        and (inner.get('data_prefix') or {}).get('img') is not None
        and _reads_as_coco(_dataset_class(inner))
        for inner in innermost_datasets(dataset)
    ):
        check_evaluation(loader, dataset, evaluator)


def _place(config: Config, name: str) -> str:
    """Returns the setting that holds the data set inside its wrappers."""
    for key in ('dataset', 'datasets'):
        if config.get(key) is not None:
            inner = config[key] if key == 'dataset' else config[key][0]
            return _place(inner, f'{name}.{key}' + ('.0' if key == 'datasets' else ''))
    return name


def _check_dataset(dataset: Config, loader: str, model: nn.Module, place: str) -> None:
    # An application that imports this package.
    from ..data import quick_check

    if loader != 'train':
        _check_pipeline(dataset.get('pipeline'), place)
    if dataset.get('backend_args') is not None:
        return  # not a local file system
    root = dataset.get('data_root') or ''
    remedy = (
        'start in the folder that the config was written for, or put the data set '
        'there (COCO 2017: annotations/, train2017/ and '
        'val2017/ in data/coco/; Digits-COCO: python '
        f'{tool_path("make_digits.py")}), or set {place}.data_root'
    )
    folders = dataset.get('data_prefix', {}).values()
    here = '' if osp.isabs(root) else f' in {os.getcwd()}'
    for path in [dataset.get('ann_file'), *folders]:
        if path and _is_local(root + path) and not osp.exists(osp.join(root, path)):
            raise UserError(f'{osp.join(root, path)} does not exist{here}: {remedy}')
    if dataset.get('ann_file', '').endswith('.json'):
        ann_file, classes = osp.join(root, dataset.ann_file), None
        folder = dataset.get('data_prefix', {}).get('img')
        if folder is not None and _reads_as_coco(_dataset_class(dataset)):
            images = osp.join(root, folder)
            classes = quick_check(
                ann_file, images, loader == 'train', dataset.get('pipeline')
            ).classes
        _check_classes(dataset, ann_file, classes, model)


def _check_pipeline(pipeline: Any, place: str) -> None:
    """Checks that something gives the detector the scale of an image."""
    types = list(values_of(pipeline, 'type'))
    classes = [TRANSFORMS.get(t) if isinstance(t, str) else t for t in types]
    if PackDetInputs not in classes:
        return
    known = [
        found is not None and found.__module__.startswith(('mmcv.', 'mmdet.'))
        for found in classes
    ]
    # CenterNet pads images instead, by RandomCenterCropPad.
    names = ' '.join(found.__name__ for found in classes if found)
    if all(known) and 'Resize' not in names and 'CropPad' not in names:
        raise UserError(
            f'{place}.pipeline has no Resize, without which a detector does not know '
            "the scale of its boxes: add dict(type='Resize', scale=(WIDTH, HEIGHT), "
            'keep_ratio=True), also if all images have this size'
        )


def _check_classes(
    dataset: Config, ann_file: str, found: Sequence[str] | None, model: nn.Module
) -> None:
    """Checks the classes of the config and the numbers of classes in the model.

    Args:
        dataset (Config): The data set's config.
        ann_file (str): Its annotation file.
        found (Sequence[str], optional): The classes in it, which is read if None.
        model (nn.Module): The model.
    """
    dataset_class = _dataset_class(dataset)
    in_config = (dataset.get('metainfo') or {}).get('classes')
    metainfo = dataset_metainfo(dataset)
    classes = metainfo.get('classes')
    if classes is None:
        return
    if isinstance(classes, str):
        raise UserError(
            f'metainfo.classes must be a tuple of names, got the '
            f'string {classes!r}: a comma after it makes a tuple'
        )
    if not (isinstance(dataset_class, type) and issubclass(dataset_class, CocoDataset)):
        return  # another file format; and trackers detect only some of the classes
    from ..data import read_categories

    found = read_categories(ann_file) if found is None else found
    missing = [name for name in classes if name not in found]
    if missing or (in_config is None and len(found) != len(classes)):
        raise UserError(
            f'{ann_file} has {_classes(found)}, the config {_classes(classes)}'
            + (f'; {missing[0]!r} is not in the file' if missing else '')
            + ': set '
            'dataset.metainfo=dict(classes=...) and num_classes='
            f'{len(found)} in the heads'
        )
    chosen = set(classes)
    in_order = [name for name in found if name in chosen]
    if dataset_class is CocoDataset and in_order != list(classes):
        raise UserError(
            f'metainfo.classes ({first_few(classes)}) have another order than in '
            f'{ann_file} ({first_few(in_order)}): MMDetection numbers them by the '
            'order of the file, so they would get wrong names'
        )
    for name, num_classes in _heads(model):
        if num_classes not in _allowed_num_classes(metainfo):
            raise UserError(
                f'num_classes={num_classes} in {name}, but {ann_file} is used '
                f'with {_classes(classes)}: set '
                f'num_classes={len(classes)}, or check_config=False to start '
                'without this check'
            )


def _classes(names: Sequence[str]) -> str:
    number = '1 class' if len(names) == 1 else f'{len(names)} classes'
    return f'{number} ({first_few(names)})'


def _dataset_class(dataset: Config) -> Any:
    name = dataset.type
    return DATASETS.get(name) if isinstance(name, str) else name


def _reads_as_coco(dataset_class: Any) -> bool:
    """Whether MMDetection's own code for COCO reads the file: not LVIS or panoptic."""
    return all(
        getattr(dataset_class, name, None) is getattr(CocoDataset, name)
        for name in ('load_data_list', 'parse_data_info')
    )


def _heads(model: nn.Module) -> Iterator[tuple[str, int]]:
    """Yields name and ``num_classes`` of each module that tells classes apart.

    These are the modules that mmdet's NumClassCheckHook compares, but that hook
    asserts in the middle of a started run, is in none of mmdet's default configs,
    and refuses proposal heads of another name than ``rpn_head`` and panoptic
    segmentation.
    """
    for name, module in model.named_modules():
        if (
            hasattr(module, 'num_classes')
            and not name.endswith('rpn_head')
            and not isinstance(
                module,
                (VGG, FusedSemanticHead, RPNHead, GARPNHead, StageCascadeRPNHead),
            )
        ):
            yield name or type(module).__name__, module.num_classes


def _allowed_num_classes(metainfo: dict) -> set[int]:
    """Returns each ``num_classes`` that a head may have for a data set.

    In panoptic segmentation one head is for things, another for stuff; the latter
    may have one more class for all things together.
    """
    counts = {len(metainfo['classes'])}
    if metainfo.get('thing_classes') and metainfo.get('stuff_classes'):
        stuff = len(metainfo['stuff_classes'])
        counts |= {len(metainfo['thing_classes']), stuff, stuff + 1}
    return counts
