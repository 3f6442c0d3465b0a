"""Folders of sound: what is found, what is known of it, what is left out, and that none is heard twice."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from clipsonic.config import SAMPLE_RATE
from clipsonic.errors import UserError
from clipsonic.evaluation.audio_files import AudioFile, checksum, find_audio, read_clip
from clipsonic.evaluation.embeddings import AudioEncoderEmbedding
from clipsonic.evaluation.features import features_of
from tests.evaluation.hearing import ToneEncoder, tone


def write(path: Path, wave: torch.Tensor | np.ndarray, rate: int = SAMPLE_RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.asarray(wave), rate)
    return path


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    folder = tmp_path / "sounds"
    for number, name in enumerate(("b.wav", "a.flac", "deep/c.ogg")):
        write(folder / name, tone(200 * (1 + number), 1.0))
    (folder / "notes.txt").write_text("no sound")
    return folder


def known(files: list[AudioFile]) -> dict[str, tuple[str | None, str | None]]:
    return {file.name: (file.prompt, file.label) for file in files}


def test_what_a_folder_holds(sounds) -> None:
    assert list(known(find_audio(sounds))) == ["a.flac", "b.wav", "deep/c.ogg"]
    (sounds / "b.json").write_text(json.dumps({"texts": ["a dog"], "images": [], "label": "dog"}))
    (sounds / "a.json").write_text(json.dumps({"texts": ["a dog", "rain"], "images": []}))
    (sounds / "deep/c.json").write_text(json.dumps([1, 2]))
    assert known(find_audio(sounds)) == {
        "a.flac": (None, None), "b.wav": ("a dog", "dog"), "deep/c.ogg": (None, None)
    }  # fmt: skip


def test_lists_of_prompts(sounds, tmp_path) -> None:
    wanted = {"a.flac": ("rain, heavy", None), "b.wav": (None, None), "deep/c.ogg": ("a dog", "dog")}
    rows = tmp_path / "list.jsonl"
    rows.write_text('{"file": "./a.flac", "prompt": "rain, heavy"}\n\n'
                    '{"file": "deep/c.ogg", "prompt": "a dog", "label": "dog"}\n')  # fmt: skip
    assert known(find_audio(sounds, rows)) == wanted
    table = '\ufefffile,prompt,label\na.flac,"rain, heavy",\ndeep/c.ogg,a dog,dog\n'
    (tmp_path / "list.csv").write_text(table, "utf-8")
    assert known(find_audio(sounds, tmp_path / "list.csv")) == wanted
    (sounds / "index.csv").write_text(table, "utf-8")
    assert known(find_audio(sounds)) == wanted


def test_what_is_wrong_is_said(sounds, tmp_path) -> None:
    with pytest.raises(UserError, match="is no folder"):
        find_audio(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no sound files in"):
        find_audio(tmp_path / "empty")
    rows = tmp_path / "list.csv"
    with pytest.raises(UserError, match="cannot be read"):
        find_audio(sounds, rows)
    for text, said in (("path,prompt\na.flac,rain\n", "'path'"), ("\0\n", "column"), ("file\n", "is empty")):
        rows.write_text(text)
        with pytest.raises(UserError, match=said):
            find_audio(sounds, rows)
    rows.write_text("file,prompt\nz.wav,rain\na.flac,rain\n")
    with pytest.raises(UserError, match=r"names z.wav, which is not in .*; 1 such lines"):
        find_audio(sounds, rows)
    rows = tmp_path / "list.jsonl"
    for text in ("[1]\n", "{\n", '{"prompt": "rain"}\n'):
        rows.write_text(text)
        with pytest.raises(UserError, match="line 1"):
            find_audio(sounds, rows)


def test_any_sound_becomes_16_khz_mono(tmp_path) -> None:
    stereo = np.stack([tone(440, 1.0).numpy(), np.zeros(16_000, np.float32)], axis=1)
    wave = read_clip(write(tmp_path / "s.wav", np.repeat(stereo, 3, axis=0), 48_000))
    assert wave.shape == (16_000,)
    torch.testing.assert_close(wave.abs().max(), torch.tensor(0.15), atol=0.03, rtol=0)


def ears() -> AudioEncoderEmbedding:
    return AudioEncoderEmbedding(ToneEncoder(), 0.5, 0.5)


def test_what_cannot_be_heard_is_left_out_and_told(sounds) -> None:
    write(sounds / "short.wav", np.zeros(100))
    (sounds / "broken.wav").write_bytes(b"RIFF")
    soundfile.write(sounds / "nan.wav", np.full(16_000, np.nan), SAMPLE_RATE, subtype="FLOAT")
    (sounds / "empty.flac").touch()
    heard = features_of(find_audio(sounds), ears())
    assert [rows.shape for rows in heard.clips] == [(2, 64)] * 3
    assert set(heard.skipped) == {"short.wav", "broken.wav", "nan.wav", "empty.flac"}
    assert "0.006 s of sound; 0.1 s are needed" in heard.skipped["short.wav"]
    assert "not numbers" in heard.skipped["nan.wav"] and "cannot be read" in heard.skipped["broken.wav"]


def test_nothing_is_heard_twice(sounds, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("clipsonic.evaluation.features.TOGETHER", 2)
    (sounds / "broken.wav").write_bytes(b"RIFF")
    cache, done = tmp_path / "cache", []
    first, again = ears(), ears()
    heard = features_of(find_audio(sounds), first, cache, done.append)
    assert first.encoder.heard == 6 and done[-1] == 4 and len(list(cache.iterdir())) == 2
    kept = features_of(find_audio(sounds), again, cache)
    assert again.encoder.heard == 0 and kept.skipped == heard.skipped
    for one, other in zip(heard.clips, kept.clips, strict=True):
        assert torch.equal(one, other)
    for path in (sounds / "a.flac", sounds / "b.wav"):  # another name or place is the same sound
        path.rename(path.with_stem(f"{path.stem}2"))
    features_of(find_audio(sounds), again, cache)
    assert again.encoder.heard == 0


def test_another_sound_or_ear_is_heard_anew(sounds, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("clipsonic.evaluation.features.TOGETHER", 1)
    cache, again = tmp_path / "cache", ears()
    features_of(find_audio(sounds), ears(), cache)
    before = checksum(find_audio(sounds))
    write(sounds / "b.wav", tone(3000, 1.0))
    assert checksum(find_audio(sounds)) != before
    features_of(find_audio(sounds), again, cache)
    assert again.encoder.heard == 2  # the windows of that file
    again.window_seconds = 1.0
    assert features_of(find_audio(sounds), again, cache).clips[0].shape == (1, 64)
    assert again.encoder.heard == 5


def test_a_damaged_or_closed_cache_costs_time_only(sounds, tmp_path) -> None:
    cache = tmp_path / "cache"
    files = find_audio(sounds)
    wanted = features_of(files, ears(), cache).clips
    (kept,) = cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:50])
    again = ears()
    found = features_of(files, again, cache).clips
    assert again.encoder.heard == 6 and all(map(torch.equal, found, wanted))
    (tmp_path / "file").touch()
    found = features_of(files, ears(), tmp_path / "file").clips
    assert all(map(torch.equal, found, wanted))


def test_a_stopped_run_goes_on(sounds, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("clipsonic.evaluation.features.TOGETHER", 1)

    class Stopped(Exception):
        pass

    def stop(done: int) -> None:
        if done == 3:
            raise Stopped

    with pytest.raises(Stopped):
        features_of(find_audio(sounds), ears(), tmp_path / "cache", stop)
    again = ears()
    features_of(find_audio(sounds), again, tmp_path / "cache")
    assert again.encoder.heard == 2
