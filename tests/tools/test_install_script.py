"""tools/install.sh with a stand-in for Python, and its compiler with a small header."""

import shutil
import stat
import subprocess

import pytest

from tests.conftest import ROOT, run

# Does what install.sh asks of Python, pip and mmcv, and writes down the latter two.
PYTHON = r"""#!/usr/bin/env bash
case "$*" in
    -VV) echo 'Python 3.11' ;;
    '-m venv'*) mkdir -p "$VENV/bin"; touch "$VENV/pyvenv.cfg"
        cp "$0" "$VENV/bin/python" ;;
    *get_device_capability*) echo "$TARGET" ;;
    *platform.machine*) echo torch-2.13.0-cpython-311-x86_64 ;;
    *'pip wheel'*) while [ "$1" != --wheel-dir ]; do shift; done
        echo "compiles for $TARGET" >>"$LOG"; touch "$2/mmcv.whl" ;;
    *mmcv.ops*) echo "checks on ${*: -1}" >>"$LOG" ;;
    *.whl) echo "installs $(basename "$(dirname "${*: -1}")")" >>"$LOG" ;;
esac
"""
SMI = '#!/usr/bin/env bash\nprintf "9.0\\n9.0\\n"\n'


def executable(path, text):
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def install(tmp_path):
    """Runs install.sh on a machine without GPUs, or with H100s; returns what it
    compiled, installed and checked. Both machines have one home folder."""
    python = executable(tmp_path / 'python', PYTHON)
    (tmp_path / 'cuda').mkdir()
    executable(tmp_path / 'cuda' / 'nvidia-smi', SMI)

    def install_on(target):
        log = tmp_path / 'log'
        log.write_text('')
        path = f'{tmp_path}/cuda:' if target != 'cpu' else ''
        run(
            'env',
            f'PATH={path}/usr/bin:/bin',
            'tools/install.sh',
            PYTHON=str(python),
            VENV=str(tmp_path / 'venv'),
            XDG_CACHE_HOME=str(tmp_path / 'cache'),
            TARGET=target,
            LOG=str(log),
            FORK='',
            TORCH_VERSION='',
        )
        return log.read_text().splitlines()

    return install_on


WHEEL = 'mmcv-2.1.0-torch-2.13.0-cpython-311-x86_64-'
CPU = [f'installs {WHEEL}cpu', 'checks on cpu']
GPU = [f'installs {WHEEL}cuda13.0-sm90', 'checks on cuda']


def test_a_login_nodes_wheel_is_not_the_gpu_nodes(install):
    assert install('cpu') == ['compiles for cpu', *CPU]
    assert install('cpu') == []
    assert install('cuda13.0-sm90') == ['compiles for cuda13.0-sm90', *GPU]
    assert install('cuda13.0-sm90') == []
    assert install('cpu') == []  # CUDA's has operators for the CPU, too


@pytest.mark.parametrize('can_precompile', [True, False])
def test_torchs_header_is_parsed_once_for_the_same_flags(tmp_path, can_precompile):
    include, headers = tmp_path / 'include', tmp_path / 'headers'
    (include / 'torch').mkdir(parents=True)
    headers.mkdir()
    (include / 'torch' / 'types.h').write_text('#pragma once\n#define ANSWER 42\n')
    if not can_precompile:
        executable(
            tmp_path / 'c++',
            '#!/usr/bin/env bash\n'
            '[[ "$*" != *c++-header* ]] || exit 1\n'
            f'exec {shutil.which("c++")} "$@"\n',
        )

    def compile_file(name, *flags):
        source = tmp_path / f'{name}.cpp'
        source.write_text('#include <torch/types.h>\nint main() { return ANSWER; }\n')
        run(
            'env',
            f'PATH={tmp_path}:/usr/bin:/bin',
            'tools/cxx_with_torch_header.sh',
            '-MMD',
            '-MF',
            tmp_path / f'{name}.d',
            '-g',
            *flags,
            f'-I{include}',
            '-c',
            source,
            '-o',
            tmp_path / f'{name}.o',
            TORCH_HEADER_DIR=str(headers),
        )
        run(
            'tools/cxx_with_torch_header.sh',
            tmp_path / f'{name}.o',
            '-o',
            tmp_path / name,
        )
        assert subprocess.call([tmp_path / name]) == 42
        return len(list(headers.glob('*.gch')))  # one a set of flags

    made = [
        compile_file('one', '-O0'),
        compile_file('two', '-O0'),
        compile_file('three', '-O3'),
    ]
    assert made == ([1, 1, 2] if can_precompile else [0, 0, 0])


def test_the_compiler_says_its_version():
    """By which torch looks whether it fits."""
    ours, theirs = (
        run(compiler, '-dumpversion').stdout
        for compiler in (f'{ROOT}/tools/cxx_with_torch_header.sh', 'c++')
    )
    assert ours == theirs
