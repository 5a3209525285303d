#!/usr/bin/env bash
# Usage: tools/dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]
# GPUS and several machines: as for dist_train.sh.
source "$(dirname "$0")/launch.sh"

expect 3 'CONFIG CHECKPOINT GPUS [options of test.py]' "$@"
with_torchrun "$3" test.py "$1" "$2" --launcher pytorch "${@:4}"
