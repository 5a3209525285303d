import sys

from tests.conftest import run


def test_importing_brings_in_nothing_heavy_that_mmdet_does_not():
    code = ('import sys, mmdet.models, mmdet.visualization; '
            'before = set(sys.modules); import mmdet_eca; '
            'print(*sorted(set(sys.modules) - before))')
    added = run(sys.executable, '-c', code).stdout.split()
    assert 'mmdet_eca.models' in added
    others = {name.partition('.')[0] for name in added} - {'mmdet_eca', 'mmdet'}
    assert not others & {'sklearn', 'pandas', 'onnx', 'torchvision', 'timm'}
    assert not any(name.startswith('matplotlib.pyplot') for name in added)


def test_importing_prints_nothing():
    """What tools print is read by others; the fork's mmdet prints too."""
    assert run(sys.executable, '-c', 'import mmdet_eca').stdout == ''
