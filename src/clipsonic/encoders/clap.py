"""LAION's CLAP with fusion (Wu et al. 2023, arXiv 2211.06687): sounds and words => unit vectors of one space.

The network is transformers'. The front end is written here after the authors' `laion_clap`, because transformers'
own differs from it: it does not cut the wave to 16 bits (whose noise is all there is above 8 kHz in our 16 kHz
sounds, 35 dB over what is there without), it draws the views of a long sound at random, and in a batch without a
long sound it treats one random clip as if it were long, so that a score depends on the batch.
"""

import pickle
from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np
import torch
from diffusers.configuration_utils import register_to_config
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor
from torch.nn.functional import interpolate, normalize, pad

from clipsonic.encoders.base import AudioEncoder, Unread, fingerprint, resampled, unread
from clipsonic.errors import UserError, first_line

AUDIO_BATCH, TEXT_BATCH = 8, 64  # sounds, texts in memory at once
TEXT_TOKENS = 77

# The authors' HTSAT-tiny.json.
CLAP_RATE, WINDOW, HOP, BANDS = 48_000, 1024, 480, 64
LOWEST_HZ, HIGHEST_HZ = 50.0, 14_000.0
CLIP_SAMPLES = 10 * CLAP_RATE
CLIP_FRAMES = CLIP_SAMPLES // HOP + 1

# RoBERTa's, with which CLAP was trained; the settings published with the converted weights say 1e-12.
TEXT_NORM_EPS = 1e-5

# What damaged, partial or hostile files end in.
FAULTS = (OSError, ValueError, RuntimeError, EOFError, SafetensorError, pickle.UnpicklingError)


def wave_at_48_khz(wave: Float[np.ndarray, "samples"], sample_rate: int) -> Float[Tensor, "resampled"]:
    """Mono wave => 48 kHz, clipped to [-1, 1] and cut to 16 bits as the authors do.

    Raises:
        UserError: no samples, or values that are not numbers.
    """
    samples = resampled(wave, sample_rate, CLAP_RATE)
    return (samples.clamp(-1, 1) * 32767).trunc() / 32767


@cache
def clap_mel_filters() -> Float[Tensor, "bands bins"]:
    """Triangles over hertz, of height 1, evenly spaced on the HTK mel scale from 50 to 14,000 Hz.

    The lowest are narrower than one FFT bin, and some of them are empty: so they were in training.
    """
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST_HZ, HIGHEST_HZ))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    bins = np.linspace(0, CLAP_RATE / 2, WINDOW // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return torch.from_numpy(np.minimum(rising, falling).clip(min=0).astype(np.float32))


def decibel_mel(wave: Float[Tensor, "samples"]) -> Float[Tensor, "frames bands"]:
    """48 kHz wave => mel power in dB, never below -100; a frame every 10 ms, the ends mirrored."""
    window = torch.hann_window(WINDOW)
    spectrum = torch.stft(wave, WINDOW, HOP, window=window, pad_mode="reflect", return_complex=True)
    power = spectrum.real**2 + spectrum.imag**2
    return 10 * (clap_mel_filters() @ power).clamp(min=1e-10).log10().T


def views(wave: Float[Tensor, "samples"]) -> tuple[Float[Tensor, "4 1001 64"], bool]:
    """48 kHz wave => the four mels that CLAP looks at, and whether the sound is longer than they are.

    Up to 10 s the wave is repeated as often as it fits whole, filled with zeros, and seen four times. A longer one
    is seen as a whole, squeezed to 10 s, and in three pieces of 10 s, early, middle and late. The authors draw
    each piece's start at random from a third of the possible ones; here it is the middle of that third, so that a
    sound always has the same embedding. They squeeze bilinearly without smoothing (the default of torchvision
    when CLAP was trained; later versions smooth), as is done here.
    """
    if len(wave) <= CLIP_SAMPLES:
        wave = wave.repeat(CLIP_SAMPLES // len(wave))
        mel = decibel_mel(pad(wave, (0, CLIP_SAMPLES - len(wave))))
        return mel.expand(4, -1, -1), False
    mel = decibel_mel(wave)
    if len(mel) == CLIP_FRAMES:  # less than one frame longer: the authors let it pass as 10 s
        return mel.expand(4, -1, -1), False
    thirds = np.array_split(np.arange(len(mel) - CLIP_FRAMES + 1), 3)
    starts = [int(third[len(third) // 2]) if len(third) else 0 for third in thirds]
    squeezed = interpolate(mel[None, None], (CLIP_FRAMES, BANDS), mode="bilinear", align_corners=False)
    return torch.stack([squeezed[0, 0], *(mel[start : start + CLIP_FRAMES] for start in starts)]), True


class CLAPEncoder(AudioEncoder):
    """A frozen CLAP with fusion, loaded on first use from the hub's cache or a local folder.

    A model folder that uses it keeps this name, not CLAP's 600 MB.

    Args:
        name: hub id or folder, such as `laion/clap-htsat-fused` (the authors' 630k-audioset-fusion-best).
        revision: a commit of the hub repository, for results that cannot drift.
    """

    @register_to_config
    def __init__(self, name: str = "laion/clap-htsat-fused", revision: str | None = None) -> None:
        super().__init__()
        self.name = name
        self.revision = revision
        self.register_buffer("device_marker", torch.zeros(1))

    @cached_property
    def _parts(self) -> tuple[Any, Any]:
        """Network and tokenizer; held in a tuple, so that they are no weights of ours."""
        from transformers import AutoConfig, AutoTokenizer

        try:
            config = AutoConfig.from_pretrained(self.name, revision=self.revision)
            if config.model_type != "clap" or not config.audio_config.enable_fusion:
                raise UserError(
                    f"{self.name} is no CLAP with fusion; name one such as laion/clap-htsat-fused"
                )
            config.text_config.layer_norm_eps = TEXT_NORM_EPS
            model = self._network(config)
            tokenizer = AutoTokenizer.from_pretrained(self.name, revision=self.revision)
        except FAULTS as error:
            raise UserError(
                f"encoder {self.name} cannot be loaded ({first_line(error)}); "
                "download it once with network, or name a local folder that holds it"
            ) from error
        return model.eval().requires_grad_(False), tokenizer

    def _network(self, config: Any) -> Any:
        """The weights as safetensors, or else as the published .bin, of which nothing but numbers is read."""
        from transformers import ClapModel
        from transformers.utils import cached_file

        try:
            model, loaded = ClapModel.from_pretrained(
                self.name,
                config=config,
                revision=self.revision,
                use_safetensors=True,
                output_loading_info=True,
            )
        except OSError:  # there are none; asked for a .bin, transformers would have the hub convert it
            file = cached_file(self.name, "pytorch_model.bin", revision=self.revision)
            weights = torch.load(file, map_location="cpu", weights_only=True)
            if not isinstance(weights, dict):
                raise ValueError("its .bin holds no weights") from None
            model, loaded = ClapModel.from_pretrained(
                None, config=config, state_dict=weights, output_loading_info=True
            )
        lacking = sorted(set(loaded["missing_keys"]) & {name for name, _ in model.named_parameters()})
        if lacking:  # transformers would go on with random numbers
            raise ValueError(f"its weights lack {lacking[0]} and {len(lacking) - 1} more")
        return model

    @property
    def id(self) -> str:
        """The published name and a fingerprint of the weights in use."""
        return f"{self.name.rstrip('/').split('/')[-1]}@{fingerprint(self._parts[0].named_parameters())}"

    @property
    def embedding_dim(self) -> int:
        """Length D of an embedding: 512 for the published one."""
        return int(self._parts[0].config.projection_dim)

    @torch.no_grad()
    def encode_audio(
        self, waves: Sequence[Float[np.ndarray, "samples"]], sample_rate: int
    ) -> Float[Tensor, "b d"]:
        """Mono waves in [-1, 1], each of its own length => unit embeddings; a row depends on its wave alone.

        Raises:
            UserError: a wave is empty or holds values that are not numbers.
        """
        model, _ = self._parts
        device = self.device_marker.device
        rows = [torch.zeros(0, self.embedding_dim, device=device)]
        for start in range(0, len(waves), AUDIO_BATCH):
            batch = [views(wave_at_48_khz(wave, sample_rate)) for wave in waves[start : start + AUDIO_BATCH]]
            mels = torch.stack([mel for mel, _ in batch]).to(device)
            longer = torch.tensor([[longer] for _, longer in batch], device=device)
            rows.append(
                model.to(device).get_audio_features(input_features=mels, is_longer=longer).pooler_output
            )
        return normalize(torch.cat(rows), dim=-1)

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "b d"]:
        """Texts, cut at 77 tokens => unit embeddings."""
        model, tokenizer = self._parts
        device = self.device_marker.device
        rows = [torch.zeros(0, self.embedding_dim, device=device)]
        for start in range(0, len(texts), TEXT_BATCH):
            tokens = tokenizer(
                list(texts[start : start + TEXT_BATCH]),
                padding="max_length",
                max_length=TEXT_TOKENS,
                truncation=True,
                return_tensors="pt",
            ).to(device)
            rows.append(model.to(device).get_text_features(**tokens).pooler_output)
        return normalize(torch.cat(rows), dim=-1)

    def unread(self, text: str) -> Unread:
        """Return what of a text is past the 77th token."""
        return unread(self._parts[1], text, TEXT_TOKENS)
