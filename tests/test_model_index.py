"""What mim and model browsers read in a wheel."""

import glob
import json
import os.path as osp

import mmengine
import pytest

from tests.conftest import ROOT

METRICS = {5: 'box AP (paper)', 6: 'mask AP (paper)'}


@pytest.fixture(scope='module')
def models():
    """The listed models by name."""
    (path,) = mmengine.load(osp.join(ROOT, 'model-index.yml'))['Import']
    metafile = mmengine.load(osp.join(ROOT, path))
    names = [collection['Name'] for collection in metafile['Collections']]
    assert all(model['In Collection'] in names for model in metafile['Models'])
    return {model['Name']: model for model in metafile['Models']}


def test_every_detector_is_listed_with_its_config(models):
    configs = glob.glob(osp.join(ROOT, 'configs', '*.py'))
    assert {osp.basename(path)[:-3] for path in configs} == set(models)
    for name, model in models.items():
        assert model['Config'] == f'configs/{name}.py'
        if name != 'mask_rcnn_eca_r50_fpn_finetune_coco':  # all others are 1x
            assert model['Metadata'] == dict(Epochs=12)
    assert 'cascade_rcnn_eca_r50_fpn_1x' in models
    assert 'Results' not in models['cascade_rcnn_eca_r50_fpn_1x']


def test_results_are_the_papers_and_say_so(models):
    with open(osp.join(ROOT, 'mmdet_eca', 'paper', 'paper_tables.json')) as file:
        rows = json.load(file)['detectors']
    paper = {}
    for row in rows:
        words = (row['detector'], row['attention'], f'r{row["depth"]}', 'fpn_1x')
        name = '_'.join(word for word in words if word)
        paper.setdefault(name, {})[METRICS[row['table']]] = row['AP']
    found = {}
    for name, model in models.items():
        for result in model.get('Results', ()):
            assert result['Dataset'] == 'COCO'
            found.setdefault(name, {}).update(result['Metrics'])
    assert len(paper) == 20 and found == paper
