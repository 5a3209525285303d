"""Archives are never extracted, and no module of the package can begin to."""

import ast
import glob

from tests.conftest import ROOT

EXTRACTS = {'extract', 'extractall', 'unpack_archive', '_extract_member'}
MODULES = {'tarfile', 'shutil.unpack_archive', 'patoolib', 'py7zr', 'rarfile'}


def extractions(source):
    """Names in a module that extract archives."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in EXTRACTS:
            found.append(node.attr)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            module = getattr(node, 'module', None) or ''
            for name in node.names:
                full = f'{module}.{name.name}'.strip('.')
                if {module, full, name.name} & (MODULES | EXTRACTS):
                    found.append(full)
    return found


def test_no_module_extracts_archives():
    paths = [
        *glob.glob(f'{ROOT}/mmdet_eca/**/*.py', recursive=True),
        *glob.glob(f'{ROOT}/tools/*.py'),
    ]
    assert len(paths) > 150
    for path in paths:
        with open(path, encoding='utf-8') as file:
            assert not extractions(file.read()), path


def test_it_would_be_seen():
    for source in (
        'import tarfile',
        'from tarfile import open',
        'from shutil import unpack_archive',
        'zipfile.ZipFile(path).extractall(folder)',
        'archive.extract(name)',
        'shutil.unpack_archive(path)',
    ):
        assert extractions(source), source
