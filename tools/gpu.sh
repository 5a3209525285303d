#!/usr/bin/env bash
# Everything that needs a GPU, in nine minutes at most (GPU_SECONDS), the most important
# first: mmcv's operators, the tests, what attention costs, the demo. Every result is a file
# work_dirs/gpu/NAME.md, written as soon as it is there; NAME.log has the whole output. A
# step that fails does not stop the others; the exit status is 1 then.
#
# GPU_PYTHON=python3 takes an interpreter that has torch and what this package needs;
# otherwise $VENV (.venv) is set up.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

VENV=${VENV:-.venv}
OUT=work_dirs/gpu
END=$((SECONDS + ${GPU_SECONDS:-540}))
PLAIN=configs/mask_rcnn_r50_fpn_1x.py
ECA=configs/mask_rcnn_eca_r50_fpn_1x.py
failed=()

fail() { echo "error: $*" >&2; exit 1; }
run() { "$GPU_PYTHON" "$@"; }

# Runs a command as the step NAME, for SECONDS at most. Its result is RESULT, a file that the
# command writes, or the end of its output if there is none.
step() {
    local name=$1 most=$2 result=$3 begin=$SECONDS left=$((END - SECONDS))
    shift 3
    if [ $left -lt 10 ]; then
        failed+=("$name (no time left)")
        return
    fi
    [ "$most" -lt "$left" ] || most=$left
    echo "== $name, ${most} s at most: python $*"
    if timeout --kill-after=5 "$most" "$GPU_PYTHON" "$@" 2>&1 | tee "$OUT/$name.log"; then
        [ -f "$result" ] || tail -n 15 "$OUT/$name.log" >"$result"
    else
        failed+=("$name")
        { echo "FAILED, or was stopped after $most s:"; tail -n 15 "$OUT/$name.log"; } \
            >"$result"
    fi
    if [ "$(head -c 1 "$result")" = '|' ]; then  # a table that says all itself
        cat "$result"
    else
        sed -e 's/.*\r//' -e 's/^/    /' "$result"
        printf '\n%s; %d s:\n\n    %s\n' \
            "$machine" $((SECONDS - begin)) "python $*"
    fi >"$OUT/$name.md"
}

benchmark() {  # NAME, SECONDS, options of tools/benchmark.py
    step "$1" "$2" "$OUT/$1/$3.md" tools/benchmark.py "${@:3}" --device cuda \
        --rounds 10 --out "$OUT/$1"
}

nvidia-smi --list-gpus 2>/dev/null | grep -q '^GPU' ||
    fail "make gpu needs an NVIDIA GPU and its driver: nvidia-smi lists none"
if [ -z "${GPU_PYTHON:-}" ]; then
    tools/install.sh || exit 1
    GPU_PYTHON=$VENV/bin/python
fi
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
run -m mmcv_operators || exit 1
machine=$(run -c '
import torch
import mmdet_eca
from mmdet_eca.training import machine
print(machine(torch.device("cuda")))') ||
    fail "torch sees no GPU: its CUDA needs a newer driver, or it is built for the CPU;" \
         "$GPU_PYTHON -m torch.utils.collect_env says which"
rm -rf "$OUT"
mkdir -p "$OUT"

step operators 90 "$OUT/operators.txt" -m pytest -q -m gpu tests/operators
step tests 150 "$OUT/tests.txt" -m pytest -q -m gpu tests --ignore=tests/operators
benchmark fine-tuning 60 model --backbone-only "$PLAIN" "$ECA@backbone.folded=False" \
    "$ECA@backbone.folded=True" "$ECA" "$ECA@channels_last"
benchmark fine-tuning-amp 60 model --backbone-only "$PLAIN@amp" \
    "$ECA@backbone.folded=False@amp" "$ECA@backbone.folded=True@amp" "$ECA@amp" \
    "$ECA@channels_last@amp_bfloat16"
benchmark mmcv-operators 30 operators
benchmark detector 60 model "$PLAIN" "$ECA@backbone.folded=False" "$ECA" "$ECA@amp"
benchmark table3 60 table3 --batch-size 64
step demo 300 "$OUT/demo/coco.txt" tools/demo.py --work-dir "$OUT/demo"

ls "$OUT"/*.md
[ ${#failed[@]} -eq 0 ] || fail "failed: ${failed[*]}; see $OUT/*.log"
