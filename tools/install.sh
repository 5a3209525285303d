#!/usr/bin/env bash
# Sets up the virtual environment $VENV (.venv) with $PYTHON (python3): torch, mmcv with its
# compiled operators, mmdet and this package. Does nothing if that was done before; repairs
# what an interrupted run left.
#
# TORCH_VERSION=2.1.2 takes another torch, FORK=1 the maintained fork of mmcv, mmengine and
# mmdet (onedl-*). The combinations that are tested are in docs/install.md.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
TORCH_VERSION=${TORCH_VERSION:-2.13.0}
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/mmdet_eca
if [ "${FORK:-0}" = 1 ]; then
    MMCV=onedl-mmcv==2.3.6
    OPENMMLAB='onedl-mmengine==0.10.12 onedl-mmdetection==3.5.1'
else
    MMCV=mmcv==2.1.0
    OPENMMLAB='mmengine==0.10.7 mmdet==3.3.0'
fi
# mmcv's build and mmengine import pkg_resources, which later releases lack.
BASE="torch==$TORCH_VERSION setuptools<81"
pins=
case $TORCH_VERSION in
    # Compiled against numpy 1; later releases of sahi want an OpenCV for numpy 2.
    2.[012].*) BASE+=' numpy<2' pins='sahi<0.12' ;;
esac

say() { echo "mmdet_eca: $*"; }
fail() { say "$*" >&2; exit 1; }
run() { "$VENV/bin/python" "$@"; }
# What was chosen is said again, so that no later package replaces it.
pip_install() {
    # shellcheck disable=SC2086
    run -m pip install --quiet --disable-pip-version-check $BASE "$@"
}

# What the environment is made from. A finished install writes it down, so that a change of
# any of it, or an install that did not finish, is seen.
recipe=$(cat setup.py tools/install.sh; echo "$BASE $MMCV $OPENMMLAB"; pwd;
         "$PYTHON" -VV) || fail "PYTHON=$PYTHON does not run"
gpus=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null |
       sort -u | paste -sd,) || gpus=
done_file=$VENV/mmdet_eca-installed
if [ -f "$done_file" ] && [ "$recipe" = "$(head -n -1 "$done_file")" ]; then
    # One that was set up beside GPUs serves machines without any, too.
    if [ -z "$gpus" ] || [ "GPUs: $gpus" = "$(tail -n 1 "$done_file")" ]; then
        exit 0
    fi
    say "$VENV was set up for other GPUs than this machine's ($gpus): setting it up anew"
fi

"$PYTHON" -c 'import sys; sys.exit(not (3, 9) <= sys.version_info < (3, 12))' ||
    fail "PYTHON=$PYTHON is $("$PYTHON" -V); Python 3.9 to 3.11 is needed"
if [ -e "$VENV" ] && [ ! -f "$VENV/pyvenv.cfg" ]; then
    fail "VENV=$VENV exists and is no virtual environment; choose another name"
fi
rm -f "$done_file"
say "setting up $VENV"
# --clear: nothing of an unfinished or older install is left to be half-used.
"$PYTHON" -m venv --clear "$VENV"

say "installing torch $TORCH_VERSION"
# shellcheck disable=SC2086
run -m pip install --disable-pip-version-check $BASE numpy ninja wheel

# What mmcv's operators are compiled for: the CPU, or CUDA and this machine's GPUs.
target=$(run -c '
import re, subprocess, torch
from torch.utils.cpp_extension import CUDA_HOME
if torch.cuda.is_available():
    try:
        text = subprocess.check_output([f"{CUDA_HOME}/bin/nvcc", "-V"], text=True)
        nvcc = re.search(r"release (\d+)", text)[1]
    except (OSError, subprocess.CalledProcessError):
        nvcc = "no"
    if nvcc == torch.version.cuda.split(".")[0]:
        cards = {torch.cuda.get_device_capability(i) for i in range(torch.cuda.device_count())}
        names = "".join(f"-sm{major}{minor}" for major, minor in sorted(cards))
        print(f"cuda{torch.version.cuda}{names}")
    else:
        print(f"mismatch: torch is built for CUDA {torch.version.cuda}, nvcc is {nvcc}")
else:
    print("cpu")')
if [ "${target%%:*}" = mismatch ]; then
    # It would fail the build half-way: operators for the CPU then.
    say "${target#mismatch: }: mmcv's operators are compiled for the CPU only. For the GPU"
    say "install the CUDA toolkit of torch's version, remove $VENV and make again."
    target=cpu
fi
if [ "$target" = cpu ]; then
    export CUDA_VISIBLE_DEVICES=
fi
# pip's own cache would hand a wheel built against one torch to another.
wheels=$CACHE/${MMCV/==/-}-$(run -c '
import platform, sys, torch
print(f"torch-{torch.__version__}-{sys.implementation.cache_tag}-{platform.machine()}")')-$target

compile_mmcv() { # in the background, its number in $build
    command -v c++ >/dev/null ||
        fail "mmcv needs a C++ compiler: install g++ (Debian, Ubuntu: apt install g++)"
    say "compiling ${MMCV/==/ }: about 2 minutes on 2 cores, once"
    mkdir -p "$CACHE"
    scratch=$(mktemp -d "$CACHE/.build-XXXXXX")
    trap 'kill "$build" 2>/dev/null || true; rm -rf "$scratch"' EXIT
    mkdir "$scratch/wheels" "$scratch/tmp" "$scratch/bin"
    cp tools/cxx_with_torch_header.sh "$scratch/bin"
    PATH=$scratch/bin:$PATH CXX=cxx_with_torch_header.sh TORCH_HEADER_DIR=$scratch/tmp \
        TMPDIR=$scratch/tmp MMCV_WITH_OPS=1 \
        MAX_JOBS=$(run -c 'import os; print(os.cpu_count())') \
        run -m pip wheel --disable-pip-version-check \
        --no-build-isolation --no-deps --no-cache-dir --no-binary "${MMCV%==*}" \
        --wheel-dir "$scratch/wheels" "$MMCV" >"$scratch/log" 2>&1 &
    build=$!
}
wait_for_mmcv() {
    while kill -0 "$build" 2>/dev/null; do
        sleep 5
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
}
build=
ls "$wheels"/*.whl >/dev/null 2>&1 || compile_mmcv

say "installing mmdet and what the demo and the tests use"
# shellcheck disable=SC2086
pip_install $OPENMMLAB
# Without mmcv, which may still be compiling.
extras=demo,test,timm
# grad-cam needs torchvision, which does not import beside a torch for the CPU alone.
[ "$(run -c 'import torch; print(torch.version.cuda)')" = None ] || extras+=,explain
# shellcheck disable=SC2086
pip_install --no-build-isolation --use-pep517 --editable ".[$extras]" $pins
[ -z "$build" ] || wait_for_mmcv

check_operators() { # where they are to run
    run -c '
import sys, torch
from mmcv.ops import nms
boxes = torch.tensor([[0., 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])
scores = torch.tensor([0.9, 0.8, 0.7])
for device in sys.argv[1:]:
    kept = nms(boxes.to(device), scores.to(device), 0.5)[1].tolist()
    assert kept == [0, 2], (device, kept)' "$@"
}
devices=cpu
[ "$target" = cpu ] || devices='cpu cuda'
pip_install "$wheels"/*.whl
# shellcheck disable=SC2086
check_operators $devices ||
    fail "mmcv is installed, but its compiled operators do not run (mmcv.ops.nms); a" \
         "compiler or torch mismatch is likely: remove $wheels and make again"
run -c 'import mmdet_eca'
printf '%s\nGPUs: %s\n' "$recipe" "$gpus" >"$done_file"
say "done: $VENV, in $((SECONDS / 60)) minutes $((SECONDS % 60)) seconds"
