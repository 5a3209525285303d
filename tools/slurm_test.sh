#!/usr/bin/env bash
# Usage: [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] \
#        tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [options of test.py]
source "$(dirname "$0")/launch.sh"

expect 4 'PARTITION JOB_NAME CONFIG CHECKPOINT [options of test.py]' "$@"
with_srun "$1" "$2" test.py "$3" "$4" --launcher=slurm "${@:5}"
