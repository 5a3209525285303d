#!/usr/bin/env bash
# Everything that needs a GPU, in one go: sets up $VENV (.venv), then runs mmcv's
# operators, the tests, the benchmarks and the demo on it. Every result is a file
# work_dirs/gpu/NAME.md, ready for docs/performance.md; NAME.log has the whole output.
# A step that fails does not stop the others; the exit status is 1 then.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

VENV=${VENV:-.venv}
OUT=work_dirs/gpu
PLAIN=configs/mask_rcnn_r50_fpn_1x.py
ECA=configs/mask_rcnn_eca_r50_fpn_1x.py
SE=configs/mask_rcnn_se_r50_fpn_1x.py
failed=()

fail() { echo "error: $*" >&2; exit 1; }
run() { "$VENV/bin/python" "$@"; }

# Runs a command as the step NAME. Its result is RESULT, a file that the command
# writes, or the end of its output if there is none.
step() {
    local name=$1 result=$2 begin=$SECONDS
    shift 2
    echo "== $name: python $*"
    if run "$@" 2>&1 | tee "$OUT/$name.log"; then
        [ -f "$result" ] || tail -n 15 "$OUT/$name.log" >"$result"
    else
        failed+=("$name")
        { echo 'FAILED:'; tail -n 15 "$OUT/$name.log"; } >"$result"
    fi
    if [ "$(head -c 1 "$result")" = '|' ]; then  # a table that says all itself
        cat "$result"
    else
        sed -e 's/.*\r//' -e 's/^/    /' "$result"
        printf '\n%s; %d s:\n\n    %s\n' \
            "$machine" $((SECONDS - begin)) "python $*"
    fi >"$OUT/$name.md"
}

benchmark() {  # NAME, options of tools/benchmark.py
    step "$1" "$OUT/$1/$2.md" tools/benchmark.py "${@:2}" --device cuda \
        --rounds 30 --out "$OUT/$1"
}

nvidia-smi --list-gpus 2>/dev/null | grep -q '^GPU' ||
    fail "make gpu needs an NVIDIA GPU and its driver: nvidia-smi lists none"
tools/install.sh || exit 1
machine=$(run -c '
import torch
from mmdet_eca.benchmark import machine
print(machine(torch.device("cuda")))') ||
    fail "torch sees no GPU: its CUDA needs a newer driver, or it is built for" \
         "the CPU; $VENV/bin/python -m torch.utils.collect_env says which"
rm -rf "$OUT"
mkdir -p "$OUT"

step operators "$OUT/operators.txt" -m pytest -m gpu \
    tests/ops/test_mmcv_operators.py
step tests "$OUT/tests.txt" -m pytest -m gpu tests

rows=("$PLAIN" "$PLAIN@efficient_conv_bn_eval" "$ECA@backbone.folded=False"
      "$ECA" "$ECA@channels_last" "$SE@channels_last"
      "$PLAIN@backbone.type=AttentionResNet@channels_last"
      "$PLAIN@amp" "$PLAIN@channels_last@amp" "$ECA@backbone.folded=False@amp"
      "$ECA@amp" "$ECA@channels_last@amp" "$ECA@channels_last@amp_bfloat16")
for n in 2 16; do
    benchmark "tail-$n" tail --batch-size $n
    benchmark "backbone-$n" model --batch-size $n --backbone-only "${rows[@]}"
done
benchmark detector model "$PLAIN" "$ECA@backbone.folded=False" "$ECA" \
    "$ECA@channels_last" "$PLAIN@amp" "$ECA@amp" "$ECA@channels_last@amp"
# The paper's images a GPU.
benchmark table3 table3 --batch-size 64
benchmark table3-amp table3 --batch-size 64 --channels-last --amp
benchmark growth growth --batch-size 32 --batch-sizes 16 32 64 128
step demo "$OUT/demo/coco.txt" tools/demo.py --work-dir "$OUT/demo"

ls "$OUT"/*.md
[ ${#failed[@]} -eq 0 ] || fail "failed: ${failed[*]}; see $OUT/*.log"
