"""What the import says where something that it needs is missing or too old."""

import shutil
import sys
from importlib.machinery import EXTENSION_SUFFIXES

import mmcv
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from mmdet_eca.dependencies import DEPENDENCIES
from tests.conftest import ROOT, run

IMPORT = 'import sys; sys.modules.update(dict.fromkeys(sys.argv[1:])); import mmdet_eca'


def last_line(*missing, **env):
    """Of an import that fails, without the packages that are missing."""
    done = run(sys.executable, '-c', IMPORT, *missing, check=False, **env)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ('name', 'remedy'),
    [
        ('torch', 'pip install torch'),
        ('mmengine', 'pip install mmengine'),
        ('mmcv', 'pip install mmcv-lite==2.1.0'),
        ('mmdet', 'pip install mmdet==3.3.0'),
    ],
)
def test_missing_packages_are_named_with_the_remedy(name, remedy):
    line = last_line(name)
    assert line.startswith(f'ImportError: mmdet_eca needs {name} ')
    assert 'not installed: ' in line and remedy in line


def test_a_package_that_is_too_old(tmp_path):
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv' / '__init__.py').write_text("__version__ = '2.0.0'\n")
    line = last_line(PYTHONPATH=f'{tmp_path}:{ROOT}')
    assert line.startswith(
        'ImportError: mmdet_eca needs mmcv 2.1.0 or later, 2.0.0 is installed: '
    )


@pytest.fixture
def mmcv_lite(tmp_path):
    """A copy of mmcv without any operators."""
    shutil.copytree(
        mmcv.__path__[0],
        tmp_path / 'mmcv',
        ignore=shutil.ignore_patterns('_ext*', 'csrc'),
    )
    return tmp_path


def python(code, folder):
    path = f'{folder}:{ROOT}'
    return run(sys.executable, '-W', 'ignore', '-c', code, PYTHONPATH=path, check=False)


NMS = """
import torch
from mmcv.ops import get_compiler_version, nms
print(nms(torch.tensor([[0., 0, 9, 9], [0, 0, 9, 8]]), torch.ones(2), 0.5)[1].tolist())
"""


def test_an_import_gives_mmcv_lite_its_operators(mmcv_lite):
    done = python(f'import mmdet_eca{NMS}print(get_compiler_version())', mmcv_lite)
    assert done.stdout.splitlines()[0] == '[0]', done.stderr
    assert 'mmcv_operators' in done.stdout.splitlines()[1]
    assert not (mmcv_lite / 'mmcv' / '_ext.py').exists()


def test_a_command_gives_them_to_programs_that_import_mmdet_first(mmcv_lite):
    alone = python(f'import mmdet.models{NMS}', mmcv_lite)
    assert "No module named 'mmcv._ext'" in alone.stderr
    install = 'from mmcv_operators import install; print(install())'
    written = mmcv_lite / 'mmcv' / '_ext.py'
    assert f'wrote {written}' in python(install, mmcv_lite).stdout
    assert f'{written} is there already' in python(install, mmcv_lite).stdout
    done = python(f'import sys, mmdet.models{NMS}', mmcv_lite)
    assert done.stdout == '[0]\n', done.stderr
    unasked = python(
        'import sys, mmdet.models; print("mmdet_eca" in sys.modules)', mmcv_lite
    )
    assert unasked.stdout == 'False\n'


def test_compiled_operators_win_and_are_left_alone(mmcv_lite):
    written = mmcv_lite / 'mmcv' / '_ext.py'
    install = 'from mmcv_operators import install; print(install())'
    python(install, mmcv_lite)
    compiled = mmcv_lite / 'mmcv' / f'_ext{EXTENSION_SUFFIXES[0]}'
    compiled.write_bytes(b'for another torch')
    assert 'nothing was changed' in python(install, mmcv_lite).stdout
    # It is loaded, and fails, instead of the Python file beside it.
    done = python('import mmdet_eca', mmcv_lite)
    assert 'compiled operators of mmcv do not load' in done.stderr.splitlines()[-1]
    assert 'mmcv-lite' in done.stderr.splitlines()[-1]
    written.unlink()


def test_the_least_versions_are_those_that_setup_declares():
    with open(f'{ROOT}/setup.py') as file:
        words = [
            word
            for word in file.read().split("'")
            if word.startswith(('torch>', 'mmcv-lite=', 'mmengine>', 'mmdet='))
        ]
    declared = {}
    for word in words:
        requirement = Requirement(word)
        name = requirement.name.removesuffix('-lite')
        declared[name] = requirement.specifier
    assert set(declared) == set(DEPENDENCIES)
    for name, (least, _) in DEPENDENCIES.items():
        bounds = [s for s in declared[name] if s.operator in ('==', '>=')]
        assert SpecifierSet(f'=={bounds[0].version}').contains(least)
