"""The whole system on one screen: a text or a picture => embedding => mel => sound."""

import copy
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers.utils import BaseOutput
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from clipsonic.audio import from_model_range
from clipsonic.bridges.base import Bridge
from clipsonic.config import (
    CLIP_FRAMES,
    CLIP_SECONDS,
    FRAMES_PER_SECOND,
    HOP_LENGTH,
    N_MELS,
    SAMPLE_RATE,
    MelSettings,
)
from clipsonic.diffusion.editing import holding
from clipsonic.diffusion.objective import Objective
from clipsonic.diffusion.sampling import Denoiser, denoiser, guided, sample
from clipsonic.diffusion.unet import MelUNet, frame_multiple
from clipsonic.diffusion.windows import cover, windowed
from clipsonic.encoders.base import Encoder, TextEncoder
from clipsonic.errors import UserError
from clipsonic.files import take_place
from clipsonic.limits import check_numbers, check_prompts, check_spans
from clipsonic.model_folder import resolve
from clipsonic.parts import BRIDGES, check_together, load_parts
from clipsonic.splicing import Spans, kept_frames, outline, spliced
from clipsonic.tracks import Track
from clipsonic.vocoder.base import Vocoder
from clipsonic.vocoder.streaming import vocode

BATCH = 8  # clips in memory at once
OVERLAP = 48  # frames, at least, by which windows overlap: 1.5 s


@dataclass
class CLIPSonicOutput(BaseOutput):
    """What a call returns; one row a clip, the clips of a prompt one after another."""

    audios: NDArray[np.float32]  # (clips, samples), 16 kHz, in [-1, 1]
    mels: NDArray[np.float32]  # (clips, 64, frames), natural log


class CLIPSonicPipeline(DiffusionPipeline):
    """Sound for a text or a picture.

    Examples:
        >>> pipeline = CLIPSonicPipeline.from_pretrained("mini")
        >>> audio = pipeline("a photo of a dog", guidance_scale=1.5).audios[0]

    Args:
        encoder: turns texts and pictures into embeddings; the one that the U-Net was trained with. One of sounds
            and words knows no pictures, and takes no bridges.
        unet: the denoiser.
        scheduler: any diffusers scheduler that fits the U-Net's noise process.
        vocoder: log-mel => wave.
        pd, sd: diffusion priors, pretrained on captioned pictures and trained on the model's own data.
        shift, linear, retrieval: bridges that need no training.
        bridge: the one that a call uses that names none; `zs` asks with the text embedding as it is.
        sampling_steps: steps of a call that names none.
        condition: what the U-Net was trained on, `image` or `text`; saved with the model.
        mel, encoder_id: what the U-Net was trained with; saved with the model, checked on loading.

    Raises:
        UserError: the parts do not belong together.
    """

    model_cpu_offload_seq = "encoder->unet->vocoder"
    _optional_components = list(BRIDGES)

    def __init__(
        self,
        encoder: TextEncoder,
        unet: MelUNet,
        scheduler: Any,
        vocoder: Vocoder,
        pd: Bridge | None = None,
        sd: Bridge | None = None,
        shift: Bridge | None = None,
        linear: Bridge | None = None,
        retrieval: Bridge | None = None,
        bridge: str = "zs",
        sampling_steps: int = 30,
        condition: str = "image",
        mel: dict[str, Any] | None = None,
        encoder_id: str | None = None,
    ) -> None:
        super().__init__()
        bridges = dict(zip(BRIDGES, (pd, sd, shift, linear, retrieval), strict=True))
        check_together(encoder, vocoder, bridges, mel, encoder_id)
        self.register_modules(encoder=encoder, unet=unet, scheduler=scheduler, vocoder=vocoder, **bridges)
        self.compiled: torch.nn.Module | None = None  # asked instead of the U-Net it was made of
        self.check_bridge(bridge)
        self.register_to_config(
            bridge=bridge,
            sampling_steps=sampling_steps,
            condition=condition,
            mel=MelSettings().model_dump(),
            encoder_id=encoder.id,
        )

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str] | None = None,
        image: Image.Image | Sequence[Image.Image] | None = None,
        *,
        embedding: Float[Tensor, "b d"] | Track | None = None,
        bridge: str | None = None,
        negative_prompt: str | None = None,
        guidance_scale: float = 1.5,
        guidance_interval: tuple[float, float] = (0.0, 1.0),
        num_inference_steps: int | None = None,
        audio_length_in_s: float | None = None,
        num_waveforms_per_prompt: int = 1,
        audio: Float[Tensor, "samples"] | NDArray[np.float32] | None = None,
        strength: float = 1.0,
        keep: Spans = (),
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        on_step: Callable[[int], None] = lambda step: None,
    ) -> CLIPSonicOutput:
        """Makes `num_waveforms_per_prompt` clips for each text, picture or embedding.

        What is longer than 4.096 s is made in overlapping windows, together.

        Args:
            prompt, image, embedding: one of the three, one or several; embeddings as `embed` makes them, or a
                track of them over time.
            bridge: from text to image embedding, one of those in `bridges`; the model's own choice unless told.
            negative_prompt: what it should not sound like; guidance then leads away from it.
            guidance_scale: w of (1 - w) unconditional + w conditional; 1 is none.
            guidance_interval: share of the noise process that is guided, of 0 (clean) to 1 (noise); steps outside
                of it cost half.
            num_inference_steps: steps of the scheduler; the model's own number unless told.
            audio_length_in_s: seconds of sound, cut to the sample; unless told as long as `audio` or the track,
                or 4.096.
            audio: 16 kHz mono in [-1, 1], to vary or to keep pieces of.
            strength: how far to go from `audio`: 0 hardly, 1 begins anew.
            keep: pieces of `audio` that stay as they are, seconds from and to; the rest is made to fit.
            generator: one for all clips in turn, or one a clip, which then does not depend on its batch.
            on_step: called with the number of steps done; every batch of 8 clips takes all steps.

        Raises:
            UserError: an argument is out of its range.
        """
        if sum(query is not None for query in (prompt, image, embedding)) != 1:
            raise UserError("ask with a text, a picture or an embedding, one of the three")
        track = embedding if isinstance(embedding, Track) else None
        given = None if audio is None else torch.as_tensor(audio).float()
        if audio_length_in_s is None:
            heard = None if given is None else len(given) / SAMPLE_RATE
            audio_length_in_s = heard or (track.seconds if track is not None else CLIP_SECONDS)
        self.check_inputs(
            prompt,
            image,
            guidance_scale=guidance_scale,
            guidance_interval=guidance_interval,
            num_inference_steps=num_inference_steps,
            audio_length_in_s=audio_length_in_s,
            num_waveforms_per_prompt=num_waveforms_per_prompt,
            strength=strength,
        )
        if given is None and (keep or strength < 1):
            raise UserError("strength and pieces to keep are of a sound; give it as audio")
        if given is not None:
            check_spans(keep, min(len(given) / SAMPLE_RATE, audio_length_in_s), "the sound that is kept")
        if negative_prompt is not None and guidance_scale <= 1:
            raise UserError(
                "a negative text needs a guidance scale above 1: guidance is what leads away from it"
            )
        steps = self.config.sampling_steps if num_inference_steps is None else num_inference_steps
        asked = embedding if track is None else None
        if isinstance(asked, Tensor):
            asked = asked[None] if asked.dim() == 1 else asked
            if asked.shape[-1] != self.encoder.embedding_dim or not asked.isfinite().all():
                raise UserError(f"embeddings are rows of {self.encoder.embedding_dim} finite numbers")
        queries = _several(next(each for each in (prompt, image, asked, [track]) if each is not None))
        queries = [query for query in queries for _ in range(num_waveforms_per_prompt)]
        generators = _one_a_clip(generator, len(queries))
        if prompt is not None:
            rows = self.embed(queries, bridge=bridge, generators=generators)
        elif image is not None:
            rows = self.embed(image=queries)
        else:
            rows = torch.stack(queries) if track is None else torch.zeros(len(queries), 0)
        away_from = None
        if negative_prompt is not None:
            once = [torch.Generator().manual_seed(0)]
            away_from = self.embed([negative_prompt], bridge=bridge, generators=once)

        frames = self._frames(audio_length_in_s)
        if track is not None:
            windows, over_time = track.windows(frames, CLIP_FRAMES, OVERLAP)
            conditions = over_time.expand(len(queries), -1, -1)
        else:
            windows = cover([(0, frames)], frames, CLIP_FRAMES, OVERLAP)
            conditions = rows[:, None].expand(-1, len(windows.starts), -1)
        conditions = conditions.to(self.unet.device, self.unet.dtype)
        trained = self.scheduler.config.num_train_timesteps
        interval = (guidance_interval[0] * trained, guidance_interval[1] * trained)
        network = denoiser(self.unet if self.compiled is None else self.compiled, trained)

        def guide(condition: Float[Tensor, "k d"]) -> Denoiser:
            away = None if away_from is None else away_from.to(condition).expand_as(condition)
            return guided(network, condition, guidance_scale, away, interval)

        known = None if given is None else outline(given, frames).to(self.unet.device)
        samples = round(audio_length_in_s * SAMPLE_RATE)
        audios, mels = [], []
        for first in range(0, len(queries), BATCH):
            part = slice(first, first + BATCH)
            denoise = windowed(guide, conditions[part], windows)
            if known is not None and keep:
                kept = kept_frames(keep, frames).to(known.device)
                denoise = holding(denoise, Objective(self.scheduler), known, kept)
            x = sample(
                denoise,
                self.scheduler,
                (1, N_MELS, frames),
                steps,
                generators[part],
                self.unet.device,
                partial(_count, on_step, first // BATCH * steps),
                None if known is None or keep else known.expand(len(conditions[part]), -1, -1, -1),
                strength,
            )
            mel = from_model_range(x.float())[:, 0]
            wave = vocode(self.vocoder, mel)[:, :samples].cpu()
            audios.append(wave if given is None or not keep else spliced(wave, given, keep))
            mels.append(mel[..., : math.ceil(samples / HOP_LENGTH)].cpu())
        return CLIPSonicOutput(audios=torch.cat(audios).numpy(), mels=torch.cat(mels).numpy())

    def _frames(self, seconds: float) -> int:
        """Frames of the mel to be made: enough, and as the network takes them."""
        multiple = frame_multiple(self.unet)
        return multiple * math.ceil(seconds * FRAMES_PER_SECOND / multiple)

    def check_inputs(
        self,
        prompt: str | Sequence[str] | None,
        image: Image.Image | Sequence[Image.Image] | None,
        *,
        guidance_scale: float = 1.5,
        guidance_interval: tuple[float, float] = (0.0, 1.0),
        num_inference_steps: int | None = None,
        audio_length_in_s: float = CLIP_SECONDS,
        num_waveforms_per_prompt: int = 1,
        strength: float = 1.0,
    ) -> None:
        """What a call checks before any work.

        Raises:
            UserError: an argument is out of its range.
        """
        if prompt == [] or image == []:
            raise UserError("the list of texts or pictures is empty")
        check_prompts([prompt] if isinstance(prompt, str) else prompt or [])
        check_numbers(
            guidance_scale=guidance_scale,
            guidance_interval=guidance_interval,
            steps=self.config.sampling_steps if num_inference_steps is None else num_inference_steps,
            most_steps=self.scheduler.config.num_train_timesteps,
            seconds=audio_length_in_s,
            clips=num_waveforms_per_prompt,
            strength=strength,
        )

    @torch.no_grad()
    def embed(
        self,
        prompt: Sequence[str] | None = None,
        image: Sequence[Image.Image] | None = None,
        *,
        bridge: str | None = None,
        generators: Sequence[torch.Generator] | None = None,
    ) -> Float[Tensor, "b d"]:
        """Texts, taken over a bridge, or pictures => unit embeddings to ask the U-Net with.

        Args:
            generators: one a text, for the bridges that draw.

        Raises:
            UserError: the model lacks the bridge, or its encoder knows no pictures.
        """
        if prompt is None:
            return self.sees().encode_image(list(image or []))
        chosen = self.check_bridge(self.config.bridge if bridge is None else bridge)
        if chosen is None:
            return self.encoder.encode_text(list(prompt))
        both = self.encoder.encode_tokens(["", *prompt])
        device = both.projection.device
        rows = chosen.to(device).sample(both[1:], both[:1], _one_a_clip(generators, len(prompt)))
        return rows.to(device)

    def sees(self) -> Encoder:
        """The encoder, if it knows pictures.

        Raises:
            UserError: it knows sounds and words only.
        """
        if not isinstance(self.encoder, Encoder):
            raise UserError(f"the model's encoder {self.encoder.id} knows no pictures; ask with a text")
        return self.encoder

    @property
    def bridges(self) -> list[str]:
        """Names of the bridges this model has; `zs` needs none and is always there."""
        return ["zs", *(name for name in BRIDGES if getattr(self, name) is not None)]

    def check_bridge(self, name: str) -> Bridge | None:
        """The bridge of that name; None for `zs`.

        Raises:
            UserError: the model has no such bridge.
        """
        if name not in self.bridges:
            raise UserError(f"the model has no bridge '{name}'; it has {', '.join(self.bridges)}")
        return None if name == "zs" else getattr(self, name)

    @classmethod
    def from_pretrained(
        cls, model: str | Path, dtype: torch.dtype = torch.float32, **parts: Any
    ) -> "CLIPSonicPipeline":
        """Loads `mini` (shipped), a folder, or a hub id if network or the hub's cache has it.

        Args:
            dtype: precision of the U-Net; the other parts stay in single precision.
            parts: components to use instead of the folder's, by name.

        Raises:
            UserError: there is no such model, a file of it is missing or damaged, or it is not of this system.
        """
        parts, settings = load_parts(resolve(str(model)), dtype, parts)
        pipeline = cls(**parts, **settings)
        pipeline.unet.to(memory_format=torch.channels_last).eval()  # faster on processors and GPUs alike
        return pipeline

    def save(self, folder: Path, half: bool = False) -> None:
        """Saves the model folder, whole or not at all, in place of what was there; `half` for float16 weights."""
        if folder.exists() and any(folder.iterdir()) and not (folder / "model_index.json").exists():
            raise UserError(f"{folder} holds something else than a model; name another folder")
        aside = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(aside, ignore_errors=True)
        whole = self
        if half:
            parts = dict(self.components, unet=copy.deepcopy(self.unet).half())
            kept = {name: self.config[name] for name in ("bridge", "sampling_steps", "condition")}
            whole = CLIPSonicPipeline(**parts, **kept)
        whole.save_pretrained(aside, safe_serialization=True)
        take_place(aside, folder)


def _count(on_step: Callable[[int], None], before: int, step: int) -> None:
    on_step(before + step)


def _one_a_clip(
    generator: torch.Generator | Sequence[torch.Generator] | None, clips: int
) -> list[torch.Generator]:
    """One generator a clip; a single one, or none, gives each clip its seed."""
    if isinstance(generator, Sequence):
        if len(generator) != clips:
            raise UserError(f"{len(generator)} generators for {clips} clips; give one a clip, or one for all")
        return list(generator)
    device = generator.device if generator is not None else "cpu"
    seeds = torch.randint(0, 2**62, (clips,), generator=generator, device=device)
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds]


def _several(queries: Any) -> list[Any]:
    """One text or picture, or several of a kind => a list."""
    return [queries] if isinstance(queries, (str, Image.Image)) else list(queries)
