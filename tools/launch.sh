# shellcheck shell=bash
# What the dist_*.sh and slurm_*.sh scripts share; each of them sources this file.
TOOLS=$(dirname "$0")
export PYTHONPATH="$TOOLS/..":$PYTHONPATH

# expect NUMBER USAGE ARGUMENTS...: ends the script if ARGUMENTS are fewer than NUMBER.
expect() {
    if [ $(($# - 2)) -lt "$1" ]; then
        echo "usage: $0 $2" >&2
        exit 2
    fi
}

# with_torchrun GPUS TOOL ARGUMENTS...: runs a tool in GPUS processes on this machine.
# GPUS is a number, or torchrun's gpu, cpu or auto. For several machines NNODES,
# NODE_RANK, MASTER_ADDR and PORT are set, as for torchrun; one machine takes a free port
# unless PORT is set. If a process fails, all are started again, MAX_RESTARTS (0) times at
# most; a training continues from its newest checkpoint.
with_torchrun() {
    local port=0
    [ "${NNODES:-1}" = 1 ] || port=29500
    # In place of this shell, so that torchrun gets the signals which are sent to it.
    exec python "$TOOLS/torchrun.py" \
        --nnodes="${NNODES:-1}" \
        --node-rank="${NODE_RANK:-0}" \
        --master-addr="${MASTER_ADDR:-127.0.0.1}" \
        --master-port="${PORT:-$port}" \
        --max-restarts="${MAX_RESTARTS:-0}" \
        --nproc-per-node="$1" \
        "$TOOLS/$2" "${@:3}"
}

# with_srun PARTITION JOB_NAME TOOL ARGUMENTS...: runs a tool in GPUS (8) Slurm tasks,
# GPUS_PER_NODE (8) on a node, with CPUS_PER_TASK (5). SRUN_ARGS are further options
# of srun.
with_srun() {
    set -x
    # shellcheck disable=SC2086  # several words
    srun -p "$1" \
        --job-name="$2" \
        --gres=gpu:"${GPUS_PER_NODE:-8}" \
        --ntasks="${GPUS:-8}" \
        --ntasks-per-node="${GPUS_PER_NODE:-8}" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 \
        ${SRUN_ARGS:-} \
        python -u "$TOOLS/$3" "${@:4}"
}

# train_with_srun ARGUMENTS OF with_srun: continues a training that a signal has
# interrupted (status 75): a batch job is put into the queue again, a training that was
# started from outside of one asks for its nodes again.
train_with_srun() {
    local resume=() status
    [ "${SLURM_RESTART_COUNT:-0}" = 0 ] || resume=(--resume)
    while :; do
        status=0
        with_srun "$@" "${resume[@]}" || status=$?
        [ "$status" = 75 ] || return "$status"
        [ -z "${SLURM_JOB_ID:-}" ] || break
        resume=(--resume)
    done
    scontrol requeue "$SLURM_JOB_ID"
    return "$status"
}
