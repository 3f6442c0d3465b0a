#!/usr/bin/env bash
# Trains `paper` on all GPUs of one machine; the same command goes on where it was stopped.
#   recipes/cluster/one_node.sh DATA OUT [more options of clipsonic train spectrogram]
# DATA is a prepared data set: a folder, or a URL such as s3://bucket/data.
set -euo pipefail

data=$1 out=$2
shift 2
processes=${PROCESSES:-$(nvidia-smi --list-gpus | wc -l)}
together=${TOGETHER:-32}  # examples a step of all processes; the paper's 32
if (( together % processes )); then
    echo "$together examples a step do not divide among $processes processes" >&2
    exit 2
fi

# A process for each GPU. A step sees the same examples and random numbers whatever their number, so that
# TOGETHER, not PROCESSES, decides the model; a run goes on with another number of them.
exec torchrun --standalone --nproc-per-node "$processes" -m clipsonic.interfaces.cli \
    train spectrogram --preset paper --data "$data" --out "$out" \
    --set "training.batch_size=$(( together / processes ))" --set training.precision=bf16 "$@"
