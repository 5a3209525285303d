"""The text of a config: what differs from its base, with the reasons as comments."""

import textwrap
from typing import Any

from mmengine.config import Config

from ..datasets import CocoFile
from ..engine.config import PREFIX
from .scale import BASE, Scale, resize_pipeline
from .schedule import Schedule

COLUMNS = 88
# mmdet's palette of COCO has as many colours; its visualizer wants one for each class.
_COLOURS = 80


class _Code(str):
    """Python that stands in a config as it is, such as the name of a variable."""

    __slots__ = ()


class _Updated(dict):
    """What a config changes in a dict of its base, as ``dict(base, key=value)``."""

    def __init__(self, base: str, **changes: Any) -> None:
        super().__init__({'': _Code(base)}, **changes)


def config_text(
    base: str,
    cfg: Config,
    train: tuple[CocoFile, str],
    val: tuple[CocoFile, str],
    scale: Scale,
    schedule: Schedule,
    weights: tuple[dict, str],
    val_comment: str,
) -> str:
    """Writes the config of a detector for a data set.

    Args:
        base (str): Name of the base config.
        cfg (Config): The base config.
        train (tuple[CocoFile, str]): Training annotations and folder of images.
        val (tuple[CocoFile, str]): The same for validation.
        scale (Scale): The proposed scale.
        schedule (Schedule): The batch and what depends on it.
        weights (tuple[dict, str]): Settings that say where training starts from, and a
            sentence on them.
        val_comment (str): A sentence on the validation set.

    Returns:
        str: The text, which mmengine's ``Config`` reads.
    """
    data = train[0]
    settings, weights_comment = weights
    model = _merge(settings.get('model', {}), _num_classes(cfg, len(data.classes)))
    metainfo: dict[str, Any] = dict(classes=data.classes)
    if len(data.classes) > _COLOURS:
        metainfo['palette'] = None
    changed = scale.box != BASE
    lines = [
        _comment(f'{_printable(data.path)}: {data}.'),
        _comment(f'{_printable(val[0].path)}: {val[0]}, {val_comment}'),
        _assign('_base_', f'{PREFIX}{base}'),
        '',
        _assign('metainfo', metainfo),
        _comment(weights_comment),
        _assign('model', model),
        *(_assign(key, value) for key, value in settings.items() if key != 'model'),
        _comment(str(scale)),
    ]
    if changed:
        for loader in ('train', 'test'):
            pipeline = cfg[f'{loader}_dataloader'].dataset.pipeline
            resized = resize_pipeline(_plain(pipeline), scale.short)
            lines.append(_assign(f'{loader}_pipeline', resized))
    lines += [
        _comment(_schedule_comment(base, cfg, schedule)),
        _assign('train_dataloader', _train_loader(cfg, train, schedule, changed)),
        _assign('val_dataloader', _val_loader(val, schedule, changed)),
        'test_dataloader = val_dataloader',
        _assign('val_evaluator', dict(ann_file=val[0].path)),
        'test_evaluator = val_evaluator',
        _assign('optim_wrapper', dict(optimizer=dict(lr=schedule.lr))),
        _assign('auto_scale_lr', dict(enable=True, base_batch_size=schedule.total)),
    ]
    return '\n'.join(lines) + '\n'


def _train_loader(
    cfg: Config, train: tuple[CocoFile, str], schedule: Schedule, changed: bool
) -> dict:
    dataset = _dataset(train, 'train_pipeline' if changed else None)
    filter_cfg = cfg.train_dataloader.dataset.filter_cfg
    if train[0].sizes.min() < filter_cfg.get('min_size', 0):
        # Else these images would be left out.
        dataset['filter_cfg'] = dict(_plain(filter_cfg), min_size=1)
    if schedule.times > 1:
        inner = _Updated('_base_.train_dataloader.dataset', **dataset)
        dataset = dict(
            _delete_=True, type='RepeatDataset', times=schedule.times, dataset=inner
        )
    return dict(
        batch_size=schedule.batch_size,
        num_workers=schedule.num_workers,
        dataset=dataset,
    )


def _val_loader(
    val: tuple[CocoFile, str], schedule: Schedule, changed: bool
) -> dict[str, Any]:
    return dict(
        num_workers=schedule.num_workers,
        dataset=_dataset(val, 'test_pipeline' if changed else None),
    )


def _dataset(data: tuple[CocoFile, str], pipeline: str | None) -> dict[str, Any]:
    dataset = dict(
        data_root='',
        ann_file=data[0].path,
        data_prefix=dict(img=data[1]),
        metainfo=_Code('metainfo'),
    )
    return dict(dataset, pipeline=_Code(pipeline)) if pipeline else dataset


def _schedule_comment(base: str, cfg: Config, schedule: Schedule) -> str:
    repeated = (
        f' An epoch shows each image {schedule.times} times, so that it has enough '
        'steps.'
        if schedule.times > 1
        else ''
    )
    return (
        f'For {schedule.devices}: batches of {schedule.total}, where {base} has '
        f'{cfg.auto_scale_lr.base_batch_size} and lr='
        f'{cfg.optim_wrapper.optimizer.lr}; the learning rate changes with them, and '
        f'with the number of GPUs that you start.{repeated}'
    )


def _num_classes(cfg: Config, count: int) -> dict:
    """What sets the number of classes wherever the model has one."""
    return _heads(cfg.model, count, '_base_.model') or {}


def _heads(part: Any, count: int, path: str) -> Any:
    if isinstance(part, dict):
        found = {
            key: count
            if key == 'num_classes'
            else _heads(value, count, f'{path}.{key}')
            for key, value in part.items()
        }
        return {key: value for key, value in found.items() if value} or None
    if isinstance(part, (list, tuple)) and any(
        isinstance(entry, dict) and 'num_classes' in entry for entry in part
    ):  # the three stages of a cascade; a config merges no lists
        return _Code(f'[dict(head, num_classes={count}) for head in {path}]')
    return None


def _merge(one: dict, other: dict) -> dict:
    return Config._merge_a_into_b(other, one)


def _plain(value: Any) -> Any:
    """Dicts and lists instead of mmengine's own."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(part) for part in value)
    return value


def _assign(name: str, value: Any) -> str:
    return f'{name} = {_code(value, taken=len(name) + 3)}'


def _code(value: Any, indent: int = 0, taken: int = 0) -> str:
    """Python for a value: on one line if it fits, else a part a line.

    The same by yapf, with which mmengine formats configs, takes seconds.

    Args:
        value (Any): Nested dicts, lists and tuples of what ``repr`` can write.
        indent (int): Columns before the line that it begins on.
        taken (int): Columns before and behind it on that line.
    """
    opening, parts, closing = _parts(value)
    flat = opening + ', '.join(name + _code(part) for name, part in parts) + closing
    if indent + taken + len(flat) <= COLUMNS or not parts:
        return flat
    indent += 4
    lines = [''] if isinstance(value, (list, tuple)) else []
    for name, part in parts:
        text = name + _code(part, indent, len(name) + len(closing))
        # Short values, such as names of classes, side by side.
        is_short = lines and not isinstance(part, (dict, list))
        if is_short and indent + len(lines[-1]) + len(text) + 2 <= COLUMNS:
            lines[-1] += f' {text},' if lines[-1] else f'{text},'
        else:
            lines.append(f'{text},')
    margin = f'\n{" " * indent}'
    body = margin + margin.join(line for line in lines if line)
    if isinstance(value, dict):
        return opening + body[:-1] + closing  # as mmengine closes a dict
    return f'{opening}{body}{margin[:-4]}{closing}'


def _parts(value: Any) -> tuple[str, list[tuple[str, Any]], str]:
    """Opening, (what stands before a part, the part) and closing."""
    if isinstance(value, dict):
        named = [(f'{key}=' if key else '', part) for key, part in value.items()]
        return 'dict(', named, ')'
    if isinstance(value, list):
        return '[', [('', part) for part in value], ']'
    if isinstance(value, tuple):
        return '(', [('', part) for part in value], ',)' if len(value) == 1 else ')'
    return (value if isinstance(value, _Code) else _literal(value)), [], ''


def _literal(value: Any) -> str:
    """Like ``repr``, but mmengine fills in what stands in double braces."""
    return repr(value).replace('{{', '{\\x7b')


def _printable(path: str) -> str:
    """The path, on one line in any case."""
    return path if path.isprintable() and '{{' not in path else _literal(path)


def _comment(text: str) -> str:
    return textwrap.fill(
        text,
        COLUMNS,
        initial_indent='# ',
        subsequent_indent='# ',
        break_long_words=False,
        break_on_hyphens=False,
    )
