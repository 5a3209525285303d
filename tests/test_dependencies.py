"""What the import says where something that it needs is missing or too old."""

import shutil
import sys

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
        ('torch', 'pip install torch=='),
        ('mmengine', 'pip install mmengine'),
        ('mmcv', 'mim install mmcv==2.1.0'),
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


def test_mmcv_without_compiled_operators(tmp_path):
    """mmcv-lite: the same package without them."""
    shutil.copytree(
        mmcv.__path__[0],
        tmp_path / 'mmcv',
        ignore=shutil.ignore_patterns('_ext*.so', 'csrc'),
    )
    line = last_line(PYTHONPATH=f'{tmp_path}:{ROOT}')
    assert 'needs the compiled operators of mmcv' in line
    assert 'mmcv-lite has none' in line and 'mim install' in line


def test_the_least_versions_are_those_that_setup_declares():
    with open(f'{ROOT}/setup.py') as file:
        words = [
            word
            for word in file.read().split("'")
            if word.startswith(('torch>', 'mmcv=', 'mmengine>', 'mmdet='))
        ]
    declared = {}
    for word in words:
        requirement = Requirement(word)
        declared[requirement.name] = requirement.specifier
    assert set(declared) == set(DEPENDENCIES)
    for name, (least, _) in DEPENDENCIES.items():
        bounds = [s for s in declared[name] if s.operator in ('==', '>=')]
        assert SpecifierSet(f'=={bounds[0].version}').contains(least)
