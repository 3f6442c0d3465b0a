"""Clips of one frame to ten minutes: pieces are equal to the whole, and see no more than they depend on."""

import pytest
import torch
from benchmarks.parity.weights import noise
from torch import Tensor

from clipsonic.errors import UserError
from clipsonic.model_folder import SHIPPED
from clipsonic.settings.vocoder import BIGVGAN_PRESETS
from clipsonic.vocoder.base import Vocoder
from clipsonic.vocoder.fourier import FourierVocoder
from clipsonic.vocoder.griffin_lim import GriffinLim
from clipsonic.vocoder.load import load_vocoder
from clipsonic.vocoder.streaming import stream, vocode
from tests.vocoder.made import bigvgan, fourier

BASE = BIGVGAN_PRESETS["paper-base"]
OTHER = {  # other kernels, rates, dilations, activation and ending than any preset
    "channels": 32, "upsample_rates": (16, 8, 4), "upsample_kernels": (16, 12, 8), "activation": "snake",
    "block_kernels": (5, 3), "block_dilations": ((2, 4), (7,)), "log_scale": False, "final_tanh": False,
}  # fmt: skip

VOCODERS = {
    "BigVGAN": lambda: bigvgan(BASE, channels=32),
    "BigVGAN of six rates": lambda: bigvgan(BIGVGAN_PRESETS["paper-large"], channels=64),
    "BigVGAN of another shape": lambda: bigvgan(BASE, **OTHER),
    "Fourier": lambda: fourier(width=64),
    "Fourier of one spectrum a frame": lambda: fourier(width=32, blocks=1, upsample=1),
    "Fourier of eight": lambda: fourier(width=32, blocks=3, upsample=8),
    "Griffin-Lim": lambda: GriffinLim(iterations=4),
    "the shipped one": lambda: load_vocoder(str(SHIPPED / "mini" / "vocoder")),
}


@pytest.fixture(params=VOCODERS)
def vocoder(request: pytest.FixtureRequest) -> Vocoder:
    return VOCODERS[request.param]()


def mel(frames: int) -> Tensor:
    return -4 + 3 * noise("streamed", 1, 64, frames)


@torch.no_grad()
def test_the_context_is_what_a_sample_depends_on_and_no_more(vocoder) -> None:
    """What is no number spreads to everything computed from it, however small its weight."""
    frame = vocoder.context_frames + 3
    probe = mel(2 * frame + 1)
    probe[..., frame] = float("nan")
    touched = vocoder(probe)[0].isnan().unflatten(0, (-1, 512)).any(dim=1).nonzero()[:, 0]
    assert touched.min() == frame - vocoder.context_frames
    assert touched.max() == frame + vocoder.context_frames


@torch.no_grad()
def test_pieces_are_equal_to_the_whole(vocoder, monkeypatch) -> None:
    chunk = max(4, vocoder.context_frames // 2)
    whole = mel(3 * chunk + 2)
    expected = vocoder(whole)
    assert expected.std() > 0.01
    pieces = list(stream(vocoder, whole, chunk))
    assert [piece.shape[1] // 512 for piece in pieces] == [chunk, chunk, chunk, 2]
    torch.testing.assert_close(torch.cat(pieces, dim=1), expected, atol=1e-4, rtol=0)
    monkeypatch.setattr(type(vocoder), "context_frames", 0)
    assert (vocode(vocoder, whole, chunk) - expected).abs().max() > 1e-3  # so the test can tell


def test_ten_minutes_are_never_in_memory_at_once() -> None:
    vocoder = fourier(width=8, blocks=1, upsample=1)
    seen: list[int] = []
    vocoder.register_forward_pre_hook(lambda module, given: seen.append(given[0].shape[-1]))
    frames, samples = 18_750, 0
    for piece in stream(vocoder, torch.full((1, 64, frames), -4.0), 512):
        samples += piece.shape[1]
        assert not piece.requires_grad
    assert samples == 600 * 16_000
    assert len(seen) == 37
    assert max(seen) == 512 + 2 * vocoder.context_frames


@torch.no_grad()
def test_long_clips_of_the_pipeline_are_streamed(tiny_pipeline) -> None:
    seen: list[int] = []
    vocoder = tiny_pipeline.vocoder
    hook = vocoder.register_forward_pre_hook(lambda module, given: seen.append(given[0].shape[-1]))
    with hook:
        out = tiny_pipeline(
            embedding=torch.eye(1, 384), num_inference_steps=1, audio_length_in_s=17.024, guidance_scale=1.0
        )
    assert seen == [512 + vocoder.context_frames, 20 + vocoder.context_frames]
    whole = vocoder(torch.from_numpy(out.mels))
    torch.testing.assert_close(torch.from_numpy(out.audios), whole, atol=1e-4, rtol=0)


@torch.no_grad()
def test_one_frame(vocoder) -> None:
    wave = vocoder(mel(1))
    assert wave.shape == (1, 512)
    assert wave.isfinite().all()
    assert wave.abs().max() > 0
    assert torch.equal(vocode(vocoder, mel(1)), wave)


def test_no_frame_is_refused(vocoder) -> None:
    for turn in (vocoder, lambda empty: vocode(vocoder, empty)):
        with pytest.raises(UserError, match="no frames; a vocoder needs one at least"):
            turn(mel(0))


def test_contexts_of_the_presets() -> None:
    made = [bigvgan(settings, channels=64) for settings in BIGVGAN_PRESETS.values()]
    assert [each.context_frames for each in (*made, FourierVocoder(), GriffinLim())] == [21, 18, 8, 98]
