"""The whole system on one screen: a text or a picture => embedding => mel => sound."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from diffusers.utils import BaseOutput
from jaxtyping import Float
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from clipsonic.audio import from_model_range
from clipsonic.config import (
    CLIP_FRAMES,
    CLIP_SECONDS,
    FRAMES_PER_SECOND,
    HOP_LENGTH,
    N_MELS,
    SAMPLE_RATE,
)
from clipsonic.diffusion.editing import holding
from clipsonic.diffusion.objective import Objective
from clipsonic.diffusion.sampling import Denoiser, denoiser, guided, one_each, sample
from clipsonic.diffusion.unet import frame_multiple
from clipsonic.diffusion.windows import cover, windowed
from clipsonic.errors import UserError
from clipsonic.limits import check_numbers, check_prompts, check_spans
from clipsonic.model import Model
from clipsonic.splicing import Spans, kept_frames, outline, spliced
from clipsonic.tracks import Track
from clipsonic.vocoder.streaming import vocode

BATCH = 8  # clips in memory at once
OVERLAP = 48  # frames, at least, by which windows overlap: 1.5 s


@dataclass
class CLIPSonicOutput(BaseOutput):
    """What a call returns; one row a clip, the clips of a prompt one after another."""

    audios: NDArray[np.float32]  # (clips, samples), 16 kHz, in [-1, 1]
    mels: NDArray[np.float32]  # (clips, 64, frames), natural log


class CLIPSonicPipeline(Model):
    """Sound for a text or a picture.

    Examples:
        >>> pipeline = CLIPSonicPipeline.from_pretrained("mini")
        >>> audio = pipeline("a photo of a dog", guidance_scale=1.5).audios[0]
    """

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
                With `zs`, texts and pictures are asked with as they are.
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
        generators = one_each(generator, len(queries))
        if prompt is not None:
            rows = self.embed(queries, bridge=bridge, generators=generators)
        elif image is not None:
            rows = self.embed(image=queries, bridge=bridge)
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


def _count(on_step: Callable[[int], None], before: int, step: int) -> None:
    on_step(before + step)


def _several(queries: Any) -> list[Any]:
    """One text or picture, or several of a kind => a list."""
    return [queries] if isinstance(queries, (str, Image.Image)) else list(queries)
