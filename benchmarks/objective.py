"""Steps until a model is as good: python -m benchmarks.objective DATA OUT [--steps 900] [--every 150].

Trains mini's U-Net on the prepared data set of mini, each time from the same first weights and on the same
clips in the same order: as the preset `mini` does (`ours`: it says the velocity), with the paper's objective
instead and all else the same (`objective`: the noise and its variance, hybrid loss), and with the paper's
optimizer too (`paper`). At every checkpoint all are measured alike on held-out clips: the squared error of the
velocity that their words amount to, at fixed times under fixed noise, and the FAD of their answers over mini-
audio. The same command goes on where it was stopped.
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import torch

from clipsonic.audio import log_mel, to_model_range
from clipsonic.config import CROP_SAMPLES, SAMPLE_RATE
from clipsonic.data.dataset import ClipDataset
from clipsonic.diffusion.objective import Objective, at
from clipsonic.diffusion.sampling import denoiser
from clipsonic.evaluation.embeddings import SoundEmbedding, load_sound_embedding
from clipsonic.evaluation.frechet import measure_frechet
from clipsonic.pipeline import CLIPSonicPipeline
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS, DiffusionSettings, SpectrogramSettings
from clipsonic.training.loop import train
from clipsonic.training.spectrogram import SpectrogramRecipe

WAYS = ("ours", "objective", "paper")
CLIPS = 40  # answers of a checkpoint
STEPS = 20  # of UniPC, for all


def settings_of(way: str, steps: int, every: int, batch: int) -> SpectrogramSettings:
    """The preset with what differs in that way."""
    mini, paper = SPECTROGRAM_PRESETS["mini"], SPECTROGRAM_PRESETS["paper"]
    run = {"steps": steps, "checkpoint_every": every, "validate_every": 10**9, "log_every": every}
    run["batch_size"] = batch
    training = mini.training.model_copy(update=run)
    if way == "ours":
        return mini.model_copy(update={"training": training})
    objective = DiffusionSettings(timesteps=mini.diffusion.timesteps, sampler="unipc", sampling_steps=STEPS)
    if way == "paper":
        names = ("learning_rate", "warmup_steps", "weight_decay", "max_grad_norm")
        training = training.model_copy(update={name: getattr(paper.training, name) for name in names})
    return mini.model_copy(update={"training": training, "diffusion": objective})


def velocity_error(pipeline: CLIPSonicPipeline, objective: Objective, held_out: ClipDataset) -> float:
    """Mean squared error of v, whatever the network says, over the clips' first pictures and loudest seconds."""
    denoise = denoiser(pipeline.unet, objective.timesteps)
    random = torch.Generator().manual_seed(0)
    errors = []
    for first in range(0, len(held_out), 16):
        numbers = range(first, min(first + 16, len(held_out)))
        waves = [held_out.wave(number)[:CROP_SAMPLES].astype(np.float32) / 32768 for number in numbers]
        x0 = to_model_range(log_mel(torch.from_numpy(np.stack(waves))))[:, None]
        embedding = torch.from_numpy(np.stack([held_out.embeddings(number)[0] for number in numbers]))
        t = torch.linspace(0.02, 0.98, len(x0)).mul(objective.timesteps).long()
        noise = torch.randn(x0.shape, generator=random)
        xt = objective.add_noise(x0, noise, t)
        with torch.no_grad():
            clean = objective.clean(denoise(xt, t, embedding).output, xt, t).clamp(-1, 1)
        # x_0 = alpha x_t - sigma v, so that v is off by the error of x_0 over sigma.
        sigma = at((1 - objective.alpha_bar).sqrt(), t, x0)
        errors.append(((clean - x0) / sigma).square().flatten(1).mean(1))
    return torch.cat(errors).mean().item()


def distance(pipeline: CLIPSonicPipeline, held_out: ClipDataset, ear: SoundEmbedding) -> str:
    """FAD of answers to the held-out clips' own pictures, as long as what was trained on and not guided."""
    numbers = list(itertools.islice(itertools.cycle(range(0, len(held_out), 2)), CLIPS))
    waves = pipeline(
        embedding=torch.from_numpy(np.stack([held_out.embeddings(number)[0] for number in numbers])),
        num_inference_steps=STEPS,
        guidance_scale=1.0,
        audio_length_in_s=CROP_SAMPLES / SAMPLE_RATE,
        generator=[torch.Generator().manual_seed(seed) for seed in range(CLIPS)],
    ).audios
    made = [ear.windows(torch.from_numpy(wave), SAMPLE_RATE) for wave in waves]
    real = [
        ear.windows(torch.from_numpy(held_out.wave(number)[:CROP_SAMPLES] / np.float32(32768)), SAMPLE_RATE)
        for number in range(len(held_out))
    ]
    return str(measure_frechet(made, real, ear.name, numbers))


def main() -> None:
    """Trains each in turn, a checkpoint at a time, and prints a row for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--every", type=int, default=150)
    parser.add_argument("--batch", type=int, default=16, help="clips a step, of all ways")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=["ours", "objective"])
    asked = parser.parse_args()
    held_out, ear = ClipDataset(asked.data, {"test"}), load_sound_embedding("mini")
    print("| objective | steps | velocity error | FAD |\n|---|---|---|---|")
    for way in asked.ways:
        recipe = SpectrogramRecipe(settings_of(way, asked.steps, asked.every, asked.batch), asked.data)
        for progress in train(recipe, asked.out / way):
            # The loop saves after it reports; the weights of the moment before are those of the last report.
            model = asked.out / way / "model"
            if model.exists():
                pipeline = CLIPSonicPipeline.from_pretrained(model)
                error, fad = (
                    velocity_error(pipeline, recipe.objective, held_out),
                    distance(pipeline, held_out, ear),
                )
                row = {"way": way, "step": progress.step - asked.every, "velocity": error, "fad": fad}
                with (asked.out / "rows.jsonl").open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(f"| {way} | {row['step']} | {error:.4f} | {fad} |", flush=True)


if __name__ == "__main__":
    main()
