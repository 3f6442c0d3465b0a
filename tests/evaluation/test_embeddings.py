"""What the Fréchet distances hear and see with: windows, names, and distances that order as ears do."""

import numpy as np
import pytest
import torch
from benchmarks.parity.vggish import weights
from torch.nn.functional import pad

from clipsonic.config import CLIP_FRAMES, LOG_MEL_FLOOR, LOG_MEL_TOP, N_MELS, SAMPLE_RATE
from clipsonic.errors import UserError
from clipsonic.evaluation.embeddings import (
    AudioEncoderEmbedding,
    SoundEmbedding,
    VGGishEmbedding,
    cut,
    load_sound_embedding,
)
from clipsonic.evaluation.gaussians import frechet_distance, statistics
from clipsonic.evaluation.mel_fid import MelImageEmbedding, mel_images
from clipsonic.evaluation.vggish import WINDOW_SAMPLES, load_vggish
from tests.evaluation.hearing import ToneEncoder, tone


@pytest.mark.parametrize(("samples", "starts"), [(1, [0]), (99, [0]), (100, [0]), (149, [0]), (150, [0, 50]),
                                                 (255, [0, 50, 100, 150])])  # fmt: skip
def test_whole_windows(samples, starts) -> None:
    wave = np.arange(samples, dtype=np.float32)
    pieces = cut(wave, sample_rate=100, window_seconds=1, hop_seconds=0.5)
    assert [piece[0] for piece in pieces] == starts
    assert {len(piece) for piece in pieces} == {min(samples, 100)}


@pytest.fixture(scope="module")
def vggish(tmp_path_factory: pytest.TempPathFactory) -> VGGishEmbedding:
    path = tmp_path_factory.mktemp("vggish") / "vggish-10086976.pth"
    torch.save(weights(full=False), path)
    return VGGishEmbedding(load_vggish(path))


def test_vggish(vggish) -> None:
    wave = tone(440, 3.0)
    heard = vggish.windows(wave, SAMPLE_RATE)
    assert heard.shape == (3, vggish.dimension)
    torch.testing.assert_close(heard, vggish.vggish.embed(wave))
    short = wave[:8000]
    filled = pad(short, (0, WINDOW_SAMPLES - len(short)))
    torch.testing.assert_close(vggish.windows(short, SAMPLE_RATE), vggish.windows(filled, SAMPLE_RATE))
    assert vggish.windows(torch.rand(48_000), 48_000).shape == (1, 128)
    assert vggish.name.startswith("vggish@") and vggish.name.endswith("(harritaylor/torchvggish, no ReLU)")


def test_an_audio_encoder_window_by_window() -> None:
    encoder = ToneEncoder()
    ear = AudioEncoderEmbedding(encoder, 1.0, 0.5)
    wave = torch.cat([tone(200, 1.0), tone(3000, 1.0)])
    heard = ear.windows(wave, SAMPLE_RATE)
    assert heard.shape == (3, ear.dimension)
    torch.testing.assert_close(heard[2:], encoder.encode_audio([wave[16_000:].numpy()], SAMPLE_RATE))
    assert ear.windows(wave[:3000], SAMPLE_RATE).shape == (1, N_MELS)
    assert ear.name == "tones@0 (1 s windows every 0.5 s)"


def test_mels_as_pictures() -> None:
    mel = torch.full((1, N_MELS, CLIP_FRAMES), LOG_MEL_FLOOR)
    mel[0, 0, 0], mel[0, 5, 100] = LOG_MEL_TOP, LOG_MEL_TOP + 9
    (picture,) = mel_images(mel)
    assert (picture.mode, picture.size) == ("RGB", (128, 128))
    grey = np.asarray(picture)
    assert (grey == grey[..., :1]).all()
    assert {(y, x) for y, x in zip(*np.nonzero(grey[..., 0]), strict=True)} == {
        (126, 0), (127, 0), (116, 100), (117, 100)
    }  # fmt: skip
    assert grey.max() == 255


def test_the_eye_sees_whole_pictures(mini_encoder) -> None:
    eye = MelImageEmbedding(mini_encoder)
    wave = tone(440, 9.0)
    seen = eye.windows(wave, SAMPLE_RATE)
    assert seen.shape == (2, eye.dimension) and mini_encoder.id in eye.name
    first = eye.windows(wave[:65_536], SAMPLE_RATE)
    assert (seen[0] @ first[0]) > 0.99  # the last frame's mirrored edge differs
    short = eye.windows(wave[:30_000], SAMPLE_RATE)
    torch.testing.assert_close(short, eye.windows(pad(wave[:30_000], (0, 35_536)), SAMPLE_RATE))


def tunes(seeds: range) -> list[torch.Tensor]:
    random = np.random.default_rng(seeds.start)
    return [tone(float(random.uniform(200, 2000)), 1.0, seed, noise=0.02) for seed in seeds]


@pytest.mark.parametrize("ear", ["tones", "vggish"])
def test_noise_is_farther_than_the_other_half(ear, vggish) -> None:
    embedding: SoundEmbedding = vggish if ear == "vggish" else AudioEncoderEmbedding(ToneEncoder(), 0.5, 0.5)
    count = 12 if ear == "vggish" else 100
    one, other = tunes(range(count)), tunes(range(1000, 1000 + count))
    random = torch.Generator().manual_seed(0)
    noise = [0.3 * torch.randn(16_000, generator=random) for _ in range(count)]

    def distance(made: list[torch.Tensor]) -> float:
        sides = [torch.cat([embedding.windows(wave, SAMPLE_RATE) for wave in side]) for side in (made, other)]
        return frechet_distance(statistics(sides[0]), statistics(sides[1]))

    assert distance(noise) > 3 * distance(one)


def test_where_vggish_is_to_be_had(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"clipsonic models fetch vggish.*--embedding mini works offline"):
        load_sound_embedding("vggish")
