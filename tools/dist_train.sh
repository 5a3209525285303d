#!/usr/bin/env bash
# Usage: tools/dist_train.sh CONFIG GPUS [options of train.py]
# GPUS is the number of processes on this machine, or gpu, cpu or auto.
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT, as for torchrun.
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [options of ${TOOL:-train.py}]" >&2
    exit 2
fi

CONFIG=$1
GPUS=$2
NNODES=${NNODES:-1}
NODE_RANK=${NODE_RANK:-0}
PORT=${PORT:-29500}
MASTER_ADDR=${MASTER_ADDR:-"127.0.0.1"}
TOOLS=$(dirname "$0")
TOOL=${TOOL:-train.py}

PYTHONPATH="$TOOLS/..":$PYTHONPATH \
python "$TOOLS/torchrun.py" \
    --nnodes="$NNODES" \
    --node-rank="$NODE_RANK" \
    --master-addr="$MASTER_ADDR" \
    --master-port="$PORT" \
    --nproc-per-node="$GPUS" \
    "$TOOLS/$TOOL" "$CONFIG" \
    --launcher pytorch "${@:3}"
