"""Noise => data: guidance, the solvers one can choose, and the loop over steps."""

import copy
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler
from jaxtyping import Float
from torch import Tensor

from clipsonic.diffusion.prediction import Prediction
from clipsonic.diffusion.unet import predict
from clipsonic.errors import UserError

Denoiser = Callable[[Tensor, Tensor], Prediction]  # (noisy data, times) => what the network says of them
Conditional = Callable[
    [Tensor, Tensor, Tensor], Prediction
]  # the same under embeddings; zeros are no condition

ALWAYS = (0.0, math.inf)  # the interval of times that holds all

SOLVERS = {  # name: (scheduler, settings that differ from its defaults)
    "ddpm": (DDPMScheduler, {}),  # ancestral steps, the paper's
    "ddim": (DDIMScheduler, {"timestep_spacing": "trailing"}),  # Song et al. 2021, deterministic
    "dpm++": (
        DPMSolverMultistepScheduler,
        {"timestep_spacing": "trailing"},
    ),  # Lu et al. 2022, 2M, deterministic
    "unipc": (UniPCMultistepScheduler, {"timestep_spacing": "trailing"}),  # Zhao et al. 2023, deterministic
}


def solver(name: str, trained: Any, learned_variance: bool = False) -> Any:
    """A sampler by name for a model trained with the noise process `trained` (any diffusers scheduler).

    All clamp their estimates of the clean mel to [-1, 1]: under the cosine schedule almost nothing is signal at
    first, and a small error in the noise is a huge one in the mel.

    Raises:
        UserError: there is no such solver.
    """
    if name not in SOLVERS:
        raise UserError(f"no scheduler '{name}'; choose one of {', '.join(SOLVERS)}")
    kind, settings = SOLVERS[name]
    process = {
        "num_train_timesteps": trained.config.num_train_timesteps,
        "beta_schedule": "squaredcos_cap_v2",
        "prediction_type": trained.config.prediction_type,
    }
    if kind is DDPMScheduler:
        process["variance_type"] = "learned_range" if learned_variance else "fixed_small"
        process["timestep_spacing"] = "linspace"
    if kind in (DDPMScheduler, DDIMScheduler):
        process["clip_sample"] = True
    else:  # with a largest value of 1, dynamic thresholding is the same clamp
        process |= {"thresholding": True, "sample_max_value": 1.0}
    return kind(**process, **settings)


def guided(
    denoise: Conditional,
    embedding: Float[Tensor, "b d"],
    w: float,
    away_from: Float[Tensor, "b d"] | None = None,
    interval: tuple[float, float] = ALWAYS,
) -> Denoiser:
    """Classifier-free guidance (Ho and Salimans 2022): (1 - w) unconditional + w conditional, w = 1 for none.

    Both passes go through the network as one batch. The variance is the conditional pass's.

    Args:
        away_from: embeddings to take the place of no condition: what the data should not be.
        interval: times between which to guide (Kynkäänniemi et al. 2024); outside of them one pass is enough.
    """
    if w == 1:
        return lambda x, t: denoise(x, t, embedding)
    both_embeddings = torch.cat([embedding, torch.zeros_like(embedding) if away_from is None else away_from])

    def combined(x: Tensor, t: Tensor) -> Prediction:
        if not interval[0] <= float(t[0]) <= interval[1]:
            return denoise(x, t, embedding)
        both = denoise(torch.cat([x, x]), torch.cat([t, t]), both_embeddings)
        conditional, unconditional = both.output.chunk(2)
        variance = both.variance.chunk(2)[0] if both.variance is not None else None
        return Prediction((1 - w) * unconditional + w * conditional, variance)

    return combined


@torch.inference_mode()
def sample(
    denoise: Denoiser,
    scheduler: Any,
    shape: Sequence[int],
    steps: int,
    generators: Sequence[torch.Generator],
    device: torch.device | str = "cpu",
    on_step: Callable[[int], None] = lambda step: None,
    outline: Float[Tensor, "b *shape"] | None = None,
    strength: float = 1.0,
    revise: Callable[[int, Tensor, Tensor], Tensor] = lambda step, t, x: x,
) -> Float[Tensor, "b *shape"]:
    """Noise => data of the model, in the model's range; one row a generator.

    Args:
        denoise: the network under its condition, guided or not.
        scheduler: any diffusers scheduler made for the model's noise process; a copy of it takes the steps, so
            that several calls may share it.
        shape: of one row.
        generators: one a row; a row depends on its own generator alone, not on its batch.
        device: where the network is.
        on_step: called with the number of steps done.
        outline: data to begin from instead of noise alone (SDEdit, Meng et al. 2022, arXiv 2108.01073).
        strength: share of the steps that are taken from there, 0 to 1; the outline is noised accordingly.
        revise: called after each step with its number from 0, its time and the data => the data for the next step.
    """
    scheduler = copy.deepcopy(scheduler)
    scheduler.set_timesteps(steps)
    noise = [torch.randn((1, *shape), generator=each, device=each.device).to(device) for each in generators]
    x = torch.cat(noise) * scheduler.init_noise_sigma
    learned = scheduler.config.get("variance_type") in ("learned", "learned_range")
    extra = (
        {"generator": list(generators)} if "generator" in inspect.signature(scheduler.step).parameters else {}
    )
    skipped = 0 if outline is None else steps - max(1, round(strength * steps))
    if outline is not None and strength < 1:
        x = scheduler.add_noise(outline, torch.cat(noise), scheduler.timesteps[skipped : skipped + 1])
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(skipped)
    for step, t in enumerate(scheduler.timesteps[skipped:]):
        prediction = denoise(scheduler.scale_model_input(x, t), t.to(device).expand(len(x)))
        output = prediction.output
        if learned and prediction.variance is not None:
            output = torch.cat([output, prediction.variance], dim=1)
        x = revise(step, t, scheduler.step(output, t, x, **extra).prev_sample)
        on_step(step + 1)
    return x


def denoiser(unet: torch.nn.Module, timesteps: int) -> Conditional:
    """A U-Net => the function that `guided` makes a denoiser of."""
    return lambda x, t, embedding: predict(unet, x, t, embedding, timesteps)


def one_each(generator: Any, clips: int) -> list[torch.Generator]:
    """Return one generator a clip, made of one, of several or of None.

    A single one draws the first clip itself, which is then the same as alone, and a seed for each other clip.
    Without any, torch's global one draws a seed for each.

    Raises:
        UserError: neither a generator nor one a clip.
    """
    if generator is None:
        return _seeded(torch.randint(0, 2**62, (clips,)))
    if isinstance(generator, torch.Generator):
        seeds = torch.randint(0, 2**62, (clips,), generator=generator.clone_state(), device=generator.device)
        return [generator, *_seeded(seeds[1:])][:clips]
    if not isinstance(generator, Sequence) or not all(
        isinstance(each, torch.Generator) for each in generator
    ):
        said = f"a list of them, one a clip, got {type(generator).__name__}"
        raise UserError(f"generator must be a torch.Generator or {said}")
    if len(generator) != clips:
        raise UserError(f"{len(generator)} generators for {clips} clips; give one a clip, or one for all")
    return list(generator)


def _seeded(seeds: Tensor) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds]
