import sys

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


def test_importing_prints_nothing():
    """What tools print is read by others; the fork's mmdet prints too."""
    assert run(sys.executable, '-c', 'import mmdet_eca').stdout == ''


def test_importing_loads_no_wing_and_registers_none_of_their_names():
    """Names as general as ImageFolder are not for everybody who wants attention."""
    code = """
import sys
import mmdet.registry as registries
from mmengine.registry import Registry

def registered():
    return {name: module.__module__ for registry in vars(registries).values()
            if isinstance(registry, Registry)
            for name, module in registry.module_dict.items()
            if module.__module__.startswith('mmdet_eca.')}

import mmdet_eca
wings = ('benchmark', 'digits', 'pretraining', 'tables')
print([name for name in sys.modules if name.startswith('mmdet_eca.')
       and name.split('.')[1] in wings])
core = registered()
print([name for name, module in core.items()
       if module.split('.')[1] not in ('models', 'legacy', 'engine')])
print('ECAResNet' in core, 'InclusiveCocoMetric' in core, 'ChannelsLastHook' in core)
import mmdet_eca.pretraining
print({'ImageFolder', 'PackImage', 'TopAccuracy', 'ImageClassifier',
       'CorruptImagesHook'} <= registered().keys() - core.keys())
"""
    assert run(sys.executable, '-c', code).stdout.splitlines() == [
        '[]',
        '[]',
        'True True True',
        'True',
    ]
