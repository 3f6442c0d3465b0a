#!/usr/bin/env bash
# From raw material to the shipped mini: every step restarts where it was stopped.
#   recipes/mini/run.sh RAW WORK      (recipes/mini/README.md says what RAW holds)
set -euo pipefail
raw=$1 work=$2
here=$(cd "$(dirname "$0")" && pwd)

(cd "$raw" && sha256sum --quiet --check "$here/raw.sha256")  # the very files that mini was made of
mkdir -p "$work/npm" && cp "$here/package.json" "$work/npm/" && npm install --prefix "$work/npm"
python "$here/sounds.py" --raw "$raw" --work "$work"
python "$here/materials.py" --raw "$raw" --npm "$work/npm/node_modules" --work "$work"
python "$here/encoder.py" --work "$work" --out "$work/projections"
python "$here/backbone.py" --work "$work" --start "$work/projections" --out "$work/backbone"
python "$here/projections.py" --work "$work" --start "$work/backbone" --out "$work/encoder"
clipsonic prepare "$work/videos.csv" --encoder "$work/encoder" --out "$work/data"
clipsonic train audio-encoder --preset mini --data "$work/data" --out "$work/audio_encoder" \
  --set training.batch_size=92 --set training.steps=450 --set training.lr_decay=0.992
python "$here/audio_encoder_report.py" --data "$work/data" --encoder "$work/audio_encoder/model"
clipsonic train spectrogram --preset mini --data "$work/data" --out "$work/begun"
# Then with conditions that are disturbed less, which new pictures over centres allow (docs/log.md).
clipsonic train spectrogram --preset mini --data "$work/data" --from "$work/begun/model" --out "$work/run" \
  --set training.learning_rate=3e-4 --set condition_noise=0.5 --set condition_stray=0.3
clipsonic train vocoder --preset mini --data "$work/sounds.csv" --out "$work/vocoder"
clipsonic evaluate reconstruction --data "$work/sounds.csv" --vocoder "$work/vocoder/model" --embedding mini --out "$work/reconstruction"
clipsonic models set-vocoder "$work/run/model" "$work/vocoder/model"
clipsonic train bridge linear --data "$work/data" --out "$work/linear"
clipsonic models add-bridge "$work/run/model" linear "$work/linear" --default
clipsonic train bridge retrieval --data "$work/data" --keys image --centres 100 --out "$work/centres"
clipsonic models add-bridge "$work/run/model" retrieval "$work/centres" --pictures
python "$here/judge.py" --data "$work/data" --model "$work/run/model" --pictures "$work/pictures.jsonl"

# Ship it: the model, with encoder and vocoder as their recipes stored them (half precision).
shipped="$here/../../src/clipsonic/weights/mini"
mkdir -p "$shipped" && cp -r "$work/run/model/." "$shipped/"
cp "$work/encoder/config.json" "$work/encoder/diffusion_pytorch_model.safetensors" "$shipped/encoder/"
cp "$work/vocoder/model/"*.{json,safetensors} "$shipped/vocoder/"
mkdir -p "$shipped-audio" && cp "$work/audio_encoder/model/"*.{json,safetensors} "$shipped-audio/"
