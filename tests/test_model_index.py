"""What mim and model browsers read."""

import os.path as osp

import mmengine

from mmdet_eca.tables import load_rows
from tests.conftest import ROOT


def models():
    index = mmengine.load(osp.join(ROOT, 'model-index.yml'))
    listed = {}
    for path in index['Import']:
        metafile = mmengine.load(osp.join(ROOT, path))
        collections = {c['Name'] for c in metafile['Collections']}
        for model in metafile['Models']:
            assert model['In Collection'] in collections
            assert model['Name'] not in listed
            listed[model['Name']] = model
    return listed


def test_every_listed_config_is_there():
    for name, model in models().items():
        assert model['Config'] == f'configs/{name}.py'
        assert osp.isfile(osp.join(ROOT, model['Config']))


def test_every_row_is_listed_with_the_papers_figures_as_the_papers():
    listed = models()
    paper = {}
    for row in load_rows():
        metric = {5: 'box AP (paper)', 6: 'mask AP (paper)'}[row.table]
        paper.setdefault(row.name, {})[metric] = row.paper['AP']
    for name, figures in paper.items():
        found = {}
        for result in listed[name]['Results']:
            assert result['Dataset'] == 'COCO'
            found.update(result['Metrics'])
        assert found == figures
    others = set(listed) - set(paper)
    assert all('Results' not in listed[name] for name in others)
