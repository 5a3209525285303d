"""The models of all configs that mmdet ships."""

import functools
import glob
import json
import os.path as osp

import mmdet
from mmengine.config import Config

CONFIGS = osp.join(osp.dirname(mmdet.__file__), '.mim', 'configs')


@functools.lru_cache(None)  # a minute's work
def read_models(every=True):
    """Names of files and their models, of all files or one of every folder."""
    found, folders = [], set()
    for path in sorted(glob.glob(f'{CONFIGS}/**/*.py', recursive=True)):
        name = osp.relpath(path, CONFIGS)
        folder = name.split('/')[0]
        if folder == '_base_' or (
            not every and ('r50' not in name or folder in folders)
        ):
            continue
        folders.add(folder)
        try:
            found.append((name, Config.fromfile(path).get('model')))
        except (ImportError, FileNotFoundError):
            # Imports mmpretrain, or inherits from a file that is not shipped:
            # mmdet cannot read it either.
            continue
    return found


def distinct_models(models, kinds):
    """Pairs of a model with such a backbone and the names of the files that have it."""
    found = {}
    for name, model in models:
        if any(True for _ in backbones(model, kinds)):
            text = json.dumps(key(model.to_dict()), sort_keys=True, default=str)
            found.setdefault(text, (model, []))[1].append(name)
    return list(found.values())


def backbones(node, kinds):
    """The config dicts of the backbones of these kinds."""
    if isinstance(node, dict):
        for name, value in node.items():
            if (
                name == 'backbone'
                and isinstance(value, dict)
                and value.get('type') in kinds
            ):
                yield value
            else:
                yield from backbones(value, kinds)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from backbones(value, kinds)


def key(node):
    """Equal for models that differ only in weights and number of classes."""
    if isinstance(node, dict):
        return {
            name: key(value)
            for name, value in node.items()
            if name not in ('init_cfg', 'pretrained', 'num_classes')
        }
    return [key(v) for v in node] if isinstance(node, (list, tuple)) else node
