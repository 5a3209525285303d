#!/usr/bin/env bash
# Compiles mmcv in $VENV, an environment of `make install`, and installs it there instead of
# mmcv-lite, so that tests/operators compares the operators with it. Two minutes on two
# cores: torch's headers, which each of 77 files includes, are parsed once.
set -euo pipefail
cd "$(dirname "$0")/.."

run() { "$VENV/bin/python" "$@"; }
if run -c 'import sys, mmcv_operators; sys.exit(not mmcv_operators.has_compiled_operators())'
then
    exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/tmp" "$scratch/bin"
cp .ci/cxx_with_torch_header.sh "$scratch/bin"
# mmcv's build asks for pkg_resources, which setuptools 81 still has with a warning.
run -m pip install --quiet --disable-pip-version-check 'setuptools<81' ninja wheel
echo "compiling mmcv for $VENV"
PATH=$scratch/bin:$PATH CXX=cxx_with_torch_header.sh TORCH_HEADER_DIR=$scratch/tmp \
    TMPDIR=$scratch/tmp MMCV_WITH_OPS=1 CUDA_VISIBLE_DEVICES='' \
    run -m pip wheel --disable-pip-version-check --no-build-isolation --no-deps \
    --no-cache-dir --no-binary mmcv --wheel-dir "$scratch" mmcv==2.1.0 \
    >"$scratch/log" 2>&1 || { tail -n 30 "$scratch/log" >&2; exit 1; }
run -m pip uninstall --quiet --yes mmcv-lite
run -m pip install --quiet --disable-pip-version-check --no-deps "$scratch"/*.whl
run -c 'import mmcv_operators, mmcv.ops, sys
sys.exit(not mmcv_operators.has_compiled_operators())'
