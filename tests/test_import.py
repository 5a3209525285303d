import json
import sys

import pytest

from tests.conftest import run


def test_importing_brings_in_nothing_heavy_that_mmdet_does_not():
    code = (
        'import sys, mmdet.models, mmdet.visualization; '
        'before = set(sys.modules); import mmdet_eca; '
        'print(*sorted(set(sys.modules) - before))'
    )
    added = run(sys.executable, '-c', code).stdout.split()
    assert 'mmdet_eca.models' in added
    others = {name.partition('.')[0] for name in added} - {'mmdet_eca', 'mmdet'}
    assert not others & {'sklearn', 'pandas', 'onnx', 'torchvision', 'timm'}
    assert not any(name.startswith('matplotlib.pyplot') for name in added)


@pytest.fixture(scope='module')
def imported():
    """What a process prints that imports this package before anything else, and
    the names that it then has."""
    code = """
import mmdet_eca
print('imported')
import json, sys
import mmdet.registry as registries
from mmengine.registry import Registry

def registered():
    return {name: module.__module__ for registry in vars(registries).values()
            if isinstance(registry, Registry)
            for name, module in registry.module_dict.items()
            if module.__module__.startswith('mmdet_eca.')}

modules = [name for name in sys.modules if name.startswith('mmdet_eca.')]
core = registered()
import mmdet_eca.pretraining
print(json.dumps(dict(modules=modules, core=core, wing=registered())))
"""
    *printed, found = run(sys.executable, '-c', code).stdout.splitlines()
    return printed, json.loads(found)


def test_importing_prints_nothing(imported):
    """What tools print is read by others; the fork's mmdet prints too."""
    assert imported[0] == ['imported']


def test_importing_loads_no_wing_and_registers_none_of_their_names(imported):
    """Names as general as ImageFolder are not for everybody who wants attention."""
    modules, core, wing = imported[1].values()
    wings = {
        *('benchmark', 'data', 'digits', 'explanation', 'export', 'inference'),
        *('pretraining', 'paper'),
    }
    assert not wings & {name.split('.')[1] for name in modules}
    places = {module.split('.')[1] for module in core.values()}
    assert places == {'models', 'mmdet1x', 'training', 'evaluation'}
    assert {'ECAResNet', 'InclusiveCocoMetric', 'ChannelsLastHook'} <= core.keys()
    names = {'ImageFolder', 'PackImage', 'TopAccuracy', 'ImageClassifier'}
    assert {*names, 'CorruptImagesHook'} <= wing.keys() - core.keys()
