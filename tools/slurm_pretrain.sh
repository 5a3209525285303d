#!/usr/bin/env bash
# Usage: tools/slurm_pretrain.sh PARTITION JOB_NAME CONFIG WORK_DIR [options of
#        pretrain_imagenet.py], with the variables of slurm_train.sh.
TOOL=pretrain_imagenet.py exec "$(dirname "$0")/slurm_train.sh" "$@"
