#!/usr/bin/env bash
# Usage: tools/slurm_pretrain.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of
#        pretrain_imagenet.py], with the variables of slurm_train.sh.
source "$(dirname "$0")/launch.sh"

expect 4 'PARTITION JOB_NAME CONFIG WORK_DIR [options of pretrain_imagenet.py]' "$@"
train_with_srun "$1" "$2" pretrain_imagenet.py "$3" --work-dir="$4" --launcher=slurm "${@:5}"
