#!/usr/bin/env bash
# The figures of the bridges from words to pictures: trains the priors that mini does not ship, and measures all.
#   recipes/mini/bridges.sh WORK      (after run.sh; about half an hour on two cores)
set -euo pipefail
work=$1

grep -v '"source": "tiny_imagenet"' "$work/pictures.jsonl" | grep '"concept": null' > "$work/captions.jsonl"
clipsonic train prior --data "$work/data" --out "$work/sd" --set training.steps=800
clipsonic train prior --captions "$work/captions.jsonl" --encoder "$work/encoder" --out "$work/pd" --set training.steps=1500
for kind in shift linear retrieval; do
  clipsonic train bridge $kind --data "$work/data" --out "$work/$kind"
done
clipsonic evaluate gap --data "$work/data" --model "$work/run/model" --bridge zs --with pd="$work/pd/model" \
  --with sd="$work/sd/model" --with shift="$work/shift" --with linear="$work/linear" \
  --with retrieval="$work/retrieval" --condition-noise 0.5 --out "$work/gap"
