"""Writes what mim and model browsers read: the configs with the paper's figures.

setup.py runs this file by itself when it builds a wheel, so that it needs nothing
but Python.
"""

import json
import os
import os.path as osp
import re
from collections.abc import Iterable
from typing import Any

COLLECTION = {
    'Name': 'ECA-Net',
    'Metadata': {
        'Training Data': 'COCO',
        'Training Techniques': ['SGD with Momentum', 'Weight Decay'],
        'Training Resources': '4 GPUs',
        'Architecture': ['FPN', 'ResNet'],
    },
    'Paper': {
        'URL': 'https://arxiv.org/abs/1910.03151',
        'Title': 'ECA-Net: Efficient Channel Attention for Deep Convolutional '
        'Neural Networks',
    },
}
# By table of the paper. '(paper)' since nobody has measured these configs yet.
RESULTS = {
    5: ('Object Detection', 'box AP (paper)'),
    6: ('Instance Segmentation', 'mask AP (paper)'),
}


def write_model_index(folder: str) -> None:
    """Writes ``model-index.yml`` and the ``configs/metafile.yml`` that it names.

    They are JSON, which is YAML too.

    Args:
        folder (str): Holds ``configs`` and gets the files.
    """
    metafile = 'configs/metafile.yml'
    names = [
        name[:-3]
        for name in os.listdir(osp.join(folder, 'configs'))
        if name.endswith('.py')
    ]
    for path, content in (
        ('model-index.yml', {'Import': [metafile]}),
        (metafile, {'Collections': [COLLECTION], 'Models': list_models(names)}),
    ):
        with open(osp.join(folder, path), 'w', encoding='utf-8') as file:
            json.dump(content, file, indent=2)


def list_models(names: Iterable[str]) -> list[dict[str, Any]]:
    """The entries of a metafile.

    Args:
        names (Iterable[str]): Names of the configs of detectors.

    Returns:
        list[dict]: An entry a config, by name, with the paper's AP if the paper
        has it.
    """
    results = _paper_results()
    models = []
    for name in sorted(names):
        model: dict[str, Any] = {
            'Name': name,
            'In Collection': COLLECTION['Name'],
            'Config': f'configs/{name}.py',
        }
        schedule = re.search(r'_(\d+)(x|e)$', name)
        if schedule:  # 1x is 12 epochs
            epochs = int(schedule[1]) * (12 if schedule[2] == 'x' else 1)
            model['Metadata'] = {'Epochs': epochs}
        if name in results:
            model['Results'] = results[name]
        models.append(model)
    return models


def _paper_results() -> dict[str, list]:
    """The paper's AP by name of the config."""
    folder = osp.dirname(osp.abspath(__file__))
    with open(osp.join(folder, 'paper_tables.json'), encoding='utf-8') as file:
        rows = json.load(file)['detectors']
    results: dict[str, list] = {}
    for row in rows:
        attention = f'_{row["attention"]}' if row['attention'] else ''
        name = f'{row["detector"]}{attention}_r{row["depth"]}_fpn_1x'
        task, metric = RESULTS[row['table']]
        results.setdefault(name, []).append(
            {'Task': task, 'Dataset': 'COCO', 'Metrics': {metric: row['AP']}}
        )
    return results
