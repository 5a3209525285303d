#!/usr/bin/env bash
# Sets up the virtual environment $VENV (.venv) with $PYTHON (python3): torch, mmcv
# with its compiled ops, and this package. Does nothing if that was done before;
# repairs what an interrupted run left.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
TORCH_VERSION=2.13.0
MMCV_VERSION=2.1.0
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/mmdet_eca

say() { echo "mmdet_eca: $*"; }
fail() { say "$*" >&2; exit 1; }
run() { "$VENV/bin/python" "$@"; }
pip_install() { run -m pip install --quiet --disable-pip-version-check "$@"; }

# What the environment is made from. A finished install writes it down, so that a
# change of any of it, or an install that did not finish, is seen.
recipe=$(cat setup.py tools/install.sh; echo "$TORCH_VERSION $MMCV_VERSION"; pwd;
         "$PYTHON" -VV) || fail "PYTHON=$PYTHON does not run"
done_file=$VENV/mmdet_eca-installed
if [ -f "$done_file" ] && [ "$recipe" = "$(cat "$done_file")" ]; then
    exit 0
fi

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 8))' ||
    fail "PYTHON=$PYTHON is $("$PYTHON" -V); Python 3.8 or later is needed"
if [ -e "$VENV" ] && [ ! -f "$VENV/pyvenv.cfg" ]; then
    fail "VENV=$VENV exists and is no virtual environment; choose another name"
fi
rm -f "$done_file"
say "setting up $VENV"
# --clear: nothing of an unfinished or older install is left to be half-used.
"$PYTHON" -m venv --clear "$VENV"

say "installing torch $TORCH_VERSION"
# mmcv's build needs torch, ninja and pkg_resources (setuptools < 81) beforehand.
run -m pip install --disable-pip-version-check \
    "torch==$TORCH_VERSION" numpy ninja 'setuptools<81' wheel

# pip's own cache would hand a wheel built against one torch to another.
torch=$(run -c 'import torch; print(torch.__version__)')
python=$(run -c 'import sysconfig as s; print(s.get_config_var("SOABI"))')
wheels=$CACHE/mmcv-$MMCV_VERSION-torch-$torch-$python
check_ops() {
    run -c '
import torch
from mmcv.ops import nms
boxes = torch.tensor([[0., 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])
kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)[1].tolist()
assert kept == [0, 2], kept'
}
install_mmcv() {
    pip_install mmengine "$wheels"/mmcv-*.whl && check_ops
}
if ! { ls "$wheels"/mmcv-*.whl >/dev/null 2>&1 && install_mmcv; }; then
    command -v c++ >/dev/null || command -v g++ >/dev/null ||
        fail "mmcv needs a C++ compiler: install g++ (Debian, Ubuntu: apt install g++)"
    # A GPU without the matching nvcc fails the build half-way: CPU ops then.
    cpu_only=$(run -c '
import re, subprocess, torch
from torch.utils.cpp_extension import CUDA_HOME
if torch.cuda.is_available():
    try:
        text = subprocess.check_output([f"{CUDA_HOME}/bin/nvcc", "-V"], text=True)
        nvcc = re.search(r"release (\d+)", text)[1]
    except (OSError, subprocess.CalledProcessError):
        nvcc = "no"
    if nvcc != torch.version.cuda.split(".")[0]:
        print(f"torch is built for CUDA {torch.version.cuda}, nvcc is {nvcc}")')
    if [ -n "$cpu_only" ]; then
        say "$cpu_only: building mmcv for the CPU only. For the GPU install the"
        say "CUDA toolkit of torch's version, remove $wheels and make again."
        export CUDA_VISIBLE_DEVICES=
    fi
    say "compiling mmcv $MMCV_VERSION: about 9 minutes on 2 cores, once"
    mkdir -p "$CACHE"
    scratch=$(mktemp -d "$CACHE/.build-XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    mkdir "$scratch/wheels" "$scratch/tmp"
    TMPDIR=$scratch/tmp MMCV_WITH_OPS=1 \
        MAX_JOBS=$(run -c 'import os; print(os.cpu_count())') \
        run -m pip wheel --disable-pip-version-check \
        --no-build-isolation --no-deps --no-cache-dir --no-binary mmcv \
        --wheel-dir "$scratch/wheels" "mmcv==$MMCV_VERSION" \
        >"$scratch/log" 2>&1 &
    build=$!
    while kill -0 "$build" 2>/dev/null; do
        sleep 10
        files=$(find "$scratch/tmp" -name build.ninja \
            -exec grep -c '^build .*\.o:' {} + || true)
        printf '\r  %s of %s files ' \
            "$(find "$scratch/tmp" -name '*.o' | wc -l)" "${files:-?}"
    done
    echo
    wait "$build" ||
        { tail -n 30 "$scratch/log" >&2; fail "mmcv did not compile; see above"; }
    rm -rf "$wheels"
    mv "$scratch/wheels" "$wheels"
    install_mmcv ||
        fail "mmcv is installed, but its compiled ops do not run (mmcv.ops.nms);" \
             "a compiler or torch mismatch is likely: remove $wheels and try again"
fi

say "installing mmdet_eca and what its demo and tests use"
pip_install --no-build-isolation --use-pep517 --editable '.[demo,test]'
run -c 'import mmdet_eca'
printf '%s' "$recipe" >"$done_file"
say "done: $VENV"
