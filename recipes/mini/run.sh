#!/usr/bin/env bash
# From raw material to the shipped mini: every step restarts where it was stopped.
#   recipes/mini/run.sh RAW NPM WORK
# RAW: the raw material (recipes/mini/README.md says what), NPM: a node_modules folder, WORK: where all is made.
set -euo pipefail
raw=$1 npm=$2 work=$3
here=$(cd "$(dirname "$0")" && pwd)

python "$here/materials.py" --raw "$raw" --npm "$npm" --work "$work"
python "$here/encoder.py" --work "$work" --out "$work/encoder"
clipsonic prepare "$work/videos.csv" --encoder "$work/encoder" --out "$work/data"
clipsonic train spectrogram --preset mini --data "$work/data" --out "$work/run"
python "$here/judge.py" --data "$work/data" --model "$work/run/model" --pictures "$work/pictures.jsonl"
