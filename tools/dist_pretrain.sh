#!/usr/bin/env bash
# Usage: tools/dist_pretrain.sh CONFIG GPUS [options of pretrain_imagenet.py]
# Several machines: as for dist_train.sh.
TOOL=pretrain_imagenet.py exec "$(dirname "$0")/dist_train.sh" "$@"
