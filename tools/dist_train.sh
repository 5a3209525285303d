#!/usr/bin/env bash
# Usage: tools/dist_train.sh CONFIG GPUS [options of train.py]
# GPUS is the number of processes on this machine, or gpu, cpu or auto.
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT, as for torchrun.
source "$(dirname "$0")/launch.sh"

expect 2 'CONFIG GPUS [options of train.py]' "$@"
with_torchrun "$2" train.py "$1" --launcher pytorch "${@:3}"
