#!/usr/bin/env bash
# Usage: [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=5] [SRUN_ARGS=...] \
#        tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of train.py]
source "$(dirname "$0")/launch.sh"

expect 4 'PARTITION JOB_NAME CONFIG WORK_DIR [options of train.py]' "$@"
train_with_srun "$1" "$2" train.py "$3" --work-dir="$4" --launcher=slurm "${@:5}"
