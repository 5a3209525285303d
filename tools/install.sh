#!/usr/bin/env bash
# Sets up the virtual environment $VENV (.venv) with $PYTHON (python3): torch, mmcv without
# compiled operators, mmdet, and this package, which has the operators. Does nothing if that
# was done before; starts again after an install that did not finish.
#
# TORCH_VERSION=2.14.1 takes another torch, FORK=1 the maintained fork of mmcv, mmengine and
# mmdet (onedl-*). The combinations that are tested are in docs/install.md.
set -euo pipefail
cd "$(dirname "$0")/.."

PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
TORCH_VERSION=${TORCH_VERSION:-2.13.0}
# mmengine finds the folder of `mmdet::` configs by pkg_resources, which later releases lack.
BASE="torch==$TORCH_VERSION setuptools<82"

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
recipe=$(cat setup.py tools/install.sh; echo "$BASE ${FORK:-0}"; pwd; "$PYTHON" -VV) ||
    fail "PYTHON=$PYTHON does not run"
done_file=$VENV/mmdet_eca-installed
if [ -f "$done_file" ] && [ "$recipe" = "$(cat "$done_file")" ]; then
    exit 0
fi

"$PYTHON" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' ||
    fail "PYTHON=$PYTHON is $("$PYTHON" -V); Python 3.10 to 3.13 is needed"
if [ -e "$VENV" ] && [ ! -f "$VENV/pyvenv.cfg" ]; then
    fail "VENV=$VENV exists and is no virtual environment; choose another name"
fi
rm -f "$done_file"
say "setting up $VENV"
# --clear: nothing of an unfinished or older install is left to be half-used.
"$PYTHON" -m venv --clear "$VENV"

say "installing torch $TORCH_VERSION"
# shellcheck disable=SC2086
run -m pip install --disable-pip-version-check $BASE wheel

say "installing mmdet and what the demo and the tests use"
extras=demo,test,timm
# grad-cam needs torchvision, which does not import beside a torch for the CPU alone.
[ "$(run -c 'import torch; print(torch.version.cuda)')" = None ] || extras+=,explain
if [ "${FORK:-0}" = 1 ]; then
    # pip builds it where there is no torch, so that nothing is compiled.
    pip_install onedl-mmcv==2.3.6 onedl-mmengine==0.10.12 onedl-mmdetection==3.5.1
else
    extras+=,mmdet
fi
pip_install --no-build-isolation --use-pep517 --editable ".[$extras]"
run -m mmcv_operators
run -c 'import mmdet_eca'
printf '%s\n' "$recipe" >"$done_file"
say "done: $VENV, in $((SECONDS / 60)) minutes $((SECONDS % 60)) seconds"
