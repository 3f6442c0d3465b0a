"""The whole system on one screen: a text or a picture => embedding => mel => sound."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from diffusers.utils import BaseOutput
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor

from clipsonic.audio import as_waveform, from_model_range
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
from clipsonic.diffusion.windows import Windows, cover, windowed
from clipsonic.errors import UserError
from clipsonic.inputs import Pictures, Texts, as_pictures, as_texts, as_unit_rows
from clipsonic.limits import check_numbers, check_prompts, check_spans
from clipsonic.model import Model
from clipsonic.precision import inference
from clipsonic.splicing import Spans, kept_frames, outline, spliced
from clipsonic.tracks import Track
from clipsonic.vocoder.streaming import vocode

BATCH = 8  # clips in memory at once
OVERLAP = 48  # frames, at least, by which windows overlap: 1.5 s

if TYPE_CHECKING:  # what callers get unless they ask otherwise, as diffusers declares it
    Array = NDArray[np.float32]
    Returned: TypeAlias = "CLIPSonicOutput"
else:
    Array = NDArray[np.float32] | Tensor
    Returned = BaseOutput | tuple[Array, Array]


@dataclass
class CLIPSonicOutput(BaseOutput):
    """What a call returns; one row a clip, the clips of a prompt one after another.

    numpy arrays, or tensors on the pipeline's device with `output_type="pt"`.
    """

    audios: Array  # (clips, samples), 16 kHz, full scale is 1
    mels: Array  # (clips, 64, frames), natural log


StepEnd = Callable[[Any, int, Tensor, dict[str, Tensor]], dict[str, Tensor] | None]


@dataclass(frozen=True)
class _Request:
    """What a call asks for, checked; one of the first four is given."""

    texts: list[str] | None
    pictures: list[Image.Image] | None
    rows: Float[Tensor, "b d"] | None
    track: Track | None
    negatives: list[str]  # none, one for all, or one each
    each: int  # clips of each text, picture or row
    given: Float[Tensor, "samples"] | None  # the sound to vary or to keep pieces of
    seconds: float
    steps: int

    @property
    def clips(self) -> int:
        """How many clips are made."""
        queries = next(
            each for each in (self.texts, self.pictures, self.rows, [self.track]) if each is not None
        )
        return len(queries) * self.each


class CLIPSonicPipeline(Model):
    """Sound for a text or a picture.

    One pipeline may be called by several threads at once.

    Examples:
        >>> pipeline = CLIPSonicPipeline.from_pretrained("mini")
        >>> audio = pipeline("a photo of a dog", guidance_scale=1.5).audios[0]
    """

    _callback_tensor_inputs = ("latents",)

    @inference
    def __call__(
        self,
        prompt: Texts | None = None,
        image: Pictures | None = None,
        *,
        embedding: Float[Tensor, "*b d"] | Float[np.ndarray, "*b d"] | Sequence[Tensor] | Track | None = None,
        bridge: str | None = None,
        negative_prompt: Texts | None = None,
        guidance_scale: float = 1.5,
        guidance_interval: tuple[float, float] = (0.0, 1.0),
        num_inference_steps: int | None = None,
        audio_length_in_s: float | None = None,
        num_waveforms_per_prompt: int = 1,
        audio: Tensor | ArrayLike | None = None,
        strength: float = 1.0,
        keep: Spans = (),
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: Literal["np", "pt"] = "np",
        return_dict: bool = True,
        callback_on_step_end: StepEnd | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        on_step: Callable[[int], None] = lambda step: None,
    ) -> Returned:
        """Make `num_waveforms_per_prompt` clips for each text, picture or embedding.

        What is longer than 4.096 s is made in overlapping windows, together.

        Args:
            prompt, image, embedding: one of the three, one or several. Texts: a string, a list or an array.
                Pictures: PIL images, paths, or arrays of uint8 or of floats from 0 to 1. Embeddings: rows as
                `embed` makes them, scaled to norm 1, or a track of them over time.
            bridge: from text to image embedding, one of those in `bridges` (the model's own choice). With `zs`,
                the embeddings of texts and pictures are the conditions as they are.
            negative_prompt: what it should not sound like, one text for all or one each; guidance then leads away
                from it.
            guidance_scale: w of (1 - w) unconditional + w conditional; 1 is none.
            guidance_interval: share of the noise process that is guided, of 0 (clean) to 1 (noise); steps outside
                of it cost half.
            num_inference_steps: steps of the scheduler (the model's own number).
            audio_length_in_s: seconds of sound, cut to the sample (as long as `audio` or the track, or 4.096).
            audio: 16 kHz sound to vary or to keep pieces of: floats of full scale 1 or integers, (samples,) or with
                channels, which are averaged.
            strength: how far to go from `audio`: 0 hardly, 1 begins anew.
            keep: pieces of `audio` that stay as they are, seconds from and to; the rest is made to fit.
            generator: one a clip, which then does not depend on its batch; or one, which draws the first clip and
                seeds the others. A clip of `manual_seed(n)` is that of `clipsonic generate --seed n`.
            output_type: `np` for numpy arrays, `pt` for tensors on the pipeline's device.
            return_dict: False for a tuple (audios, mels) in place of a `CLIPSonicOutput`.
            callback_on_step_end: called after each step as diffusers does: (pipeline, step from 0, timestep,
                {"latents": the noisy mels of a batch of up to 8 clips}) => a dict; its "latents" replace them.
            callback_on_step_end_tensor_inputs: which tensors it is given; there are `latents` only.
            on_step: called with the number of steps done; every batch of 8 clips takes all steps.

        Raises:
            UserError: an argument is of another type than above, or out of its range.
        """
        check_output(output_type, callback_on_step_end_tensor_inputs)
        asked = self._validate(
            prompt,
            image,
            embedding,
            negative_prompt,
            audio,
            keep,
            audio_length_in_s,
            guidance_scale=guidance_scale,
            guidance_interval=guidance_interval,
            num_inference_steps=num_inference_steps,
            num_waveforms_per_prompt=num_waveforms_per_prompt,
            strength=strength,
        )
        frames, generators = self._frames(asked.seconds), one_each(generator, asked.clips)
        conditions, windows = self._conditions(asked, bridge, generators, frames)
        guide = self._guide(bool(asked.negatives), guidance_scale, guidance_interval)
        known = None if asked.given is None else outline(asked.given, frames).to(self.unet.device)
        names = callback_on_step_end_tensor_inputs if callback_on_step_end is not None else ()
        audios, mels = [], []
        for first in range(0, asked.clips, BATCH):
            part = slice(first, first + BATCH)
            denoise = windowed(guide, conditions[part], windows)
            if known is not None and keep:
                kept = kept_frames(keep, frames).to(known.device)
                denoise = holding(denoise, Objective(self.scheduler), known, kept)
            x = sample(
                denoise,
                self.scheduler,
                (1, N_MELS, frames),
                asked.steps,
                generators[part],
                self.unet.device,
                partial(_count, on_step, first // BATCH * asked.steps),
                None if known is None or keep else known.expand(len(conditions[part]), -1, -1, -1),
                strength,
                partial(_step_end, self, callback_on_step_end, names),
            )
            wave, mel = self._decode(x, asked, keep)
            audios.append(wave)
            mels.append(mel)
        both: tuple[Any, Any] = torch.cat(audios), torch.cat(mels)
        if output_type == "np":
            both = both[0].numpy(), both[1].numpy()
        else:
            both = both[0].to(self.unet.device), both[1].to(self.unet.device)
        returned: Any = CLIPSonicOutput(*both) if return_dict else both
        return returned

    def _validate(
        self,
        prompt: Any,
        image: Any,
        embedding: Any,
        negative_prompt: Any,
        audio: Any,
        keep: Spans,
        seconds: float | None,
        **numbers: Any,
    ) -> _Request:
        """Check what was passed, and bring it into the one form that the rest works with."""
        if sum(query is not None for query in (prompt, image, embedding)) != 1:
            raise UserError("prompt, image or embedding must be given, one of the three")
        track, given = (embedding if isinstance(embedding, Track) else None), None
        if audio is not None:
            given, note = as_waveform(audio)
            if note is not None:
                warnings.warn(note, stacklevel=4)
        if seconds is None:
            heard = None if given is None else len(given) / SAMPLE_RATE
            seconds = heard or (track.seconds if track is not None else CLIP_SECONDS)
        texts = None if prompt is None else as_texts(prompt)
        self.check_inputs(texts, None, audio_length_in_s=seconds, **numbers)
        if given is None and (keep or numbers["strength"] < 1):
            raise UserError("strength and pieces to keep are of a sound; give it as audio")
        if given is not None:
            check_spans(keep, min(len(given) / SAMPLE_RATE, seconds), "the sound that is kept")
        negatives = [] if negative_prompt is None else as_texts(negative_prompt, "negative prompt")
        check_prompts(negatives, "negative prompt")
        if negatives and numbers["guidance_scale"] <= 1:
            raise UserError(
                "a negative prompt needs a guidance scale above 1: guidance is what leads away from it"
            )
        width, rows = self.encoder.embedding_dim, None
        if track is not None:
            track = replace(track, embeddings=as_unit_rows(track.embeddings, width))
        elif embedding is not None:
            rows = as_unit_rows(embedding, width)
        asked = _Request(
            texts=texts,
            pictures=None if image is None else as_pictures(image),
            rows=rows,
            track=track,
            negatives=negatives,
            each=int(numbers["num_waveforms_per_prompt"]),
            given=given,
            seconds=seconds,
            steps=int(numbers["num_inference_steps"] or self.config.sampling_steps),
        )
        queries = asked.clips // asked.each
        if len(negatives) not in (0, 1, queries):
            raise UserError(
                f"negative_prompt must be one text, or one for each of {queries}, got {len(negatives)}"
            )
        return asked

    def _conditions(
        self, asked: _Request, bridge: str | None, generators: Sequence[torch.Generator], frames: int
    ) -> tuple[Float[Tensor, "b n width"], Windows]:
        """Return each clip's condition in each window: an embedding, and beside it the one to lead away from."""
        windows = cover([(0, frames)], frames, CLIP_FRAMES, OVERLAP)
        if asked.track is not None:
            windows, over_time = asked.track.windows(frames, CLIP_FRAMES, OVERLAP)
            conditions = over_time.expand(asked.clips, -1, -1)
        else:
            if asked.texts is not None:
                texts = [text for text in asked.texts for _ in range(asked.each)]
                rows = self.embed(texts, bridge=bridge, generators=generators)
            elif asked.pictures is not None:
                rows = self.embed(image=asked.pictures, bridge=bridge).repeat_interleave(asked.each, 0)
            else:
                assert asked.rows is not None
                rows = asked.rows.repeat_interleave(asked.each, 0)
            conditions = rows[:, None].expand(-1, len(windows.starts), -1)
        conditions = conditions.to(self.unet.device, self.unet.dtype)
        if asked.negatives:
            seeds = [torch.Generator().manual_seed(0) for _ in asked.negatives]
            away = self.embed(asked.negatives, bridge=bridge, generators=seeds).to(conditions)
            away = away.repeat_interleave(asked.clips // len(away), 0)[:, None].expand_as(conditions)
            conditions = torch.cat([conditions, away], dim=-1)
        return conditions, windows

    def _guide(
        self, negative: bool, w: float, interval: tuple[float, float]
    ) -> Callable[[Float[Tensor, "k width"]], Denoiser]:
        """Return a function: conditions of some windows => their denoiser under guidance."""
        trained = self.scheduler.config.num_train_timesteps
        network = denoiser(self.unet if self.compiled is None else self.compiled, trained)
        times = (interval[0] * trained, interval[1] * trained)

        def guide(condition: Float[Tensor, "k width"]) -> Denoiser:
            towards, away = condition.chunk(2, dim=1) if negative else (condition, None)
            return guided(network, towards, w, away, times)

        return guide

    def _decode(
        self, x: Float[Tensor, "b 1 mels frames"], asked: _Request, keep: Spans
    ) -> tuple[Float[Tensor, "b samples"], Float[Tensor, "b mels cut"]]:
        """Return the sound of mels in the model's range and the mels in natural log, cut to length, on the CPU."""
        samples = round(asked.seconds * SAMPLE_RATE)
        mel = from_model_range(x.float())[:, 0]
        wave = vocode(self.vocoder, mel)[:, :samples].cpu()
        if asked.given is not None and keep:
            wave = spliced(wave, asked.given, keep)
        return wave, mel[..., : math.ceil(samples / HOP_LENGTH)].cpu()

    def _frames(self, seconds: float) -> int:
        """Return how many frames of the mel are made: enough, and as the network takes them."""
        multiple = frame_multiple(self.unet)
        return multiple * math.ceil(seconds * FRAMES_PER_SECOND / multiple)

    def check_inputs(
        self,
        prompt: Texts | None,
        image: Pictures | None,
        *,
        guidance_scale: float = 1.5,
        guidance_interval: tuple[float, float] = (0.0, 1.0),
        num_inference_steps: int | None = None,
        audio_length_in_s: float = CLIP_SECONDS,
        num_waveforms_per_prompt: int = 1,
        strength: float = 1.0,
    ) -> None:
        """Check arguments of a call as the call itself does before any work.

        Raises:
            UserError: an argument is out of its range.
        """
        if prompt is not None:
            check_prompts(as_texts(prompt))
        if image is not None:
            as_pictures(image)
        check_numbers(
            guidance_scale=guidance_scale,
            guidance_interval=guidance_interval,
            steps=self.config.sampling_steps if num_inference_steps is None else num_inference_steps,
            most_steps=self.scheduler.config.num_train_timesteps,
            seconds=audio_length_in_s,
            clips=num_waveforms_per_prompt,
            strength=strength,
        )


def check_output(output_type: str, tensors: Sequence[str]) -> None:
    """Check diffusers' arguments of what is returned and shown.

    Raises:
        UserError: it is nothing that there is here.
    """
    if output_type not in ("np", "pt"):
        raise UserError(f"output_type must be 'np' or 'pt', got {output_type!r}")
    if unknown := set(tensors) - {"latents"}:
        raise UserError(f"callback_on_step_end_tensor_inputs must be ['latents'], got {sorted(unknown)}")


def _count(on_step: Callable[[int], None], before: int, step: int) -> None:
    on_step(before + step)


def _step_end(
    pipeline: CLIPSonicPipeline,
    callback: StepEnd | None,
    names: Sequence[str],
    step: int,
    t: Tensor,
    x: Tensor,
) -> Tensor:
    """Show a step to diffusers' callback, and return the data to go on with."""
    if callback is None:
        return x
    said = callback(pipeline, step, t, dict.fromkeys(names, x)) or {}
    after = said.get("latents", x)
    if not isinstance(after, Tensor) or after.shape != x.shape:
        raise UserError(f"callback_on_step_end must return latents of the shape {tuple(x.shape)}")
    return after.to(x)
