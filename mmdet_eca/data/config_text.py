"""The text of a config: what differs from its base, with the reasons as comments."""

import pprint
import textwrap
from typing import Any

import matplotlib
from matplotlib.colors import to_rgb
from mmengine.config import Config

from ..config_paths import config_path
from ..training.cli import set_epochs
from .coco_file import CocoFile
from .scale import BASE, Scale, resize_pipeline
from .schedule import Schedule

COLUMNS = 88
# mmdet's palette of COCO has as many colours; its visualizer wants one for each class.
_COLOURS = 80

# mmengine evaluates _base_ alone, without the lines before it: hence __import__. This
# way MMDetection's own tools can read the config, wherever this package is installed.
_TEMPLATE = """\
{data_comment}
{val_comment}
_base_ = __import__('mmdet_eca').config_path({base})

metainfo = {metainfo}
{weights_comment}
model = {model}
{load_from}{scale_comment}
{pipelines}{schedule_comment}
train_dataloader = dict(
    batch_size={batch_size},
    num_workers={num_workers},
    dataset=dict(
        _delete_=True,
        type='RepeatDataset',
        times={times},
        dataset=dict(
            _base_.train_dataloader.dataset,
            data_root='',
            ann_file={train_file},
            data_prefix=dict(img={train_folder}),
            metainfo=metainfo{train_more})))
val_dataloader = dict(
    num_workers={num_workers},
    dataset=dict(
        data_root='',
        ann_file={val_file},
        data_prefix=dict(img={val_folder}),
        metainfo=metainfo{val_more}))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file={val_file}, classwise=True)
test_evaluator = val_evaluator
optim_wrapper = dict(optimizer=dict(lr={lr}))
{length}auto_scale_lr = dict(enable=True, base_batch_size={total})
"""


def config_text(
    base: str,
    data: CocoFile,
    val: CocoFile,
    val_comment: str,
    scale: Scale,
    schedule: Schedule,
    weights: tuple[dict, str],
    epochs: int | None = None,
) -> str:
    """Returns the config of a detector for a data set, which mmengine reads.

    Args:
        base (str): Name of the base config.
        data (CocoFile): The training data.
        val (CocoFile): The data for validation.
        val_comment (str): A sentence on the validation set.
        scale (Scale): The proposed scale.
        schedule (Schedule): The batch and what depends on it.
        weights (tuple[dict, str]): Settings that say where training starts from, and a
            sentence on them.
        epochs (int, optional): Number of epochs, by default the base's.
    """
    cfg = Config.fromfile(config_path(base))
    settings, weights_comment = weights
    model: dict = _set_num_classes(cfg.to_dict()['model'], len(data.classes)) or {}
    model = {**settings.get('model', {}), **model}
    metainfo: dict[str, Any] = dict(classes=data.classes)
    if len(data.classes) > _COLOURS:
        metainfo['palette'] = None
    elif len(data.classes) <= 20:  # COCO's first colours are two reds
        name = 'tab10' if len(data.classes) <= 10 else 'tab20'
        colours = matplotlib.color_sequences[name][: len(data.classes)]
        metainfo['palette'] = [
            tuple(round(255 * part) for part in to_rgb(colour)) for colour in colours
        ]
    pipelines = train_more = val_more = ''
    if scale.box != BASE:
        for loader in ('train', 'test'):
            name = f'{loader}_pipeline'
            pipeline = cfg[f'{loader}_dataloader'].to_dict()['dataset']['pipeline']
            pipeline = resize_pipeline(pipeline, scale.short)
            pipelines += f'{name} = {_value(pipeline, len(name) + 3)}\n'
        train_more, val_more = ', pipeline=train_pipeline', ', pipeline=test_pipeline'
    filter_cfg = cfg.train_dataloader.dataset.filter_cfg.to_dict()
    if data.sizes.min() < filter_cfg.get('min_size', 0):
        # Else these images would be left out.
        train_more += f', filter_cfg={dict(filter_cfg, min_size=1)}'
    load_from = settings.get('load_from')
    length = ''
    if epochs is not None:
        set_epochs(cfg, epochs)
        schedulers = [
            {key: value for key, value in scheduler.items() if key != '_scope_'}
            for scheduler in cfg.param_scheduler
        ]
        length = (
            f'train_cfg = dict(max_epochs={epochs})\n'
            f'param_scheduler = {_value(schedulers, 18)}\n'
        )
    repeated = (
        f' An epoch shows each image {schedule.times} times, so that it has enough '
        'steps.'
        if schedule.times > 1
        else ''
    )
    return _TEMPLATE.format(
        data_comment=_comment(f'{_printable(data.path)}: {data}.'),
        val_comment=_comment(f'{_printable(val.path)}: {val}, {val_comment}'),
        base=_value(base),
        metainfo=_value(metainfo, 11),
        weights_comment=_comment(weights_comment),
        model=_value(model, 8),
        load_from=f'load_from = {_value(load_from)}\n' if load_from else '',
        scale_comment=_comment(str(scale)),
        length=length,
        pipelines=pipelines,
        schedule_comment=_comment(
            f'For {schedule.devices}: batches of {schedule.total}, where {base} has '
            f'{cfg.auto_scale_lr.base_batch_size} and lr='
            f'{cfg.optim_wrapper.optimizer.lr}; the learning rate changes with them, '
            f'and with the number of GPUs that you start.{repeated}'
        ),
        **schedule._asdict(),
        train_file=_value(data.path),
        train_folder=_value(data.folder),
        train_more=train_more,
        val_file=_value(val.path),
        val_folder=_value(val.folder),
        val_more=val_more,
    )


def _set_num_classes(part: Any, count: int) -> Any:
    """Returns the settings of each number of classes in a model; None without any."""
    if isinstance(part, dict):
        found = {
            key: count if key == 'num_classes' else _set_num_classes(value, count)
            for key, value in part.items()
        }
        return {key: value for key, value in found.items() if value} or None
    if isinstance(part, (list, tuple)) and any(
        isinstance(entry, dict) and 'num_classes' in entry for entry in part
    ):  # the three stages of a cascade; a config merges no lists
        return [dict(head, num_classes=count) for head in part]
    return None


def _value(value: Any, indent: int = 0) -> str:
    """Returns Python for a value; mmengine would replace text in double braces."""
    text = pprint.pformat(value, width=COLUMNS - indent, sort_dicts=False)
    return text.replace('{{', '{\\x7b').replace('\n', '\n' + ' ' * indent)


def _printable(path: str) -> str:
    """Returns the path, on one line in any case."""
    return path if path.isprintable() and '{{' not in path else _value(path)


def _comment(text: str) -> str:
    return textwrap.fill(
        text,
        COLUMNS,
        initial_indent='# ',
        subsequent_indent='# ',
        break_long_words=False,
        break_on_hyphens=False,
    )
