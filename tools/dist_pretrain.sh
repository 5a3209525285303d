#!/usr/bin/env bash
# Usage: tools/dist_pretrain.sh CONFIG GPUS [options of pretrain_imagenet.py]
# GPUS and several machines: as for dist_train.sh.
source "$(dirname "$0")/launch.sh"

expect 2 'CONFIG GPUS [options of pretrain_imagenet.py]' "$@"
with_torchrun "$2" pretrain_imagenet.py "$1" --launcher pytorch "${@:3}"
