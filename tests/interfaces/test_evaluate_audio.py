"""`clipsonic evaluate audio`, as a user asks for it, with an encoder whose hearing is known."""

import json
from pathlib import Path

import pytest
import soundfile
import torch

from clipsonic.config import SAMPLE_RATE
from clipsonic.encoders.mini_audio import MiniAudioEncoder
from clipsonic.errors import UserError
from clipsonic.interfaces.evaluate_audio import split_labels
from clipsonic.published import locate
from tests.evaluation.hearing import ToneEncoder, tone

HERTZ = (220, 880, 3520)
NO_FID = ("--images-with", "none")


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ToneEncoder:
    """Stands for every language-audio encoder."""
    encoder = ToneEncoder()
    for module in ("evaluation.embeddings", "encoders.load"):  # in this order: the one imports from the other
        monkeypatch.setattr(f"clipsonic.{module}.load_audio_encoder", lambda name: encoder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return encoder


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Nine clips made for three labels, and nine real ones of the same."""
    made, real = tmp_path / "made", tmp_path / "real"
    for folder, seed in ((made, 0), (real, 100)):
        folder.mkdir()
        for number in range(9):
            wave = tone(HERTZ[number % 3], 2.2, seed + number)
            soundfile.write(folder / f"{number}.wav", wave.numpy(), SAMPLE_RATE)
    rows = [f"{number}.wav,the sound of {HERTZ[number % 3]} Hz,{HERTZ[number % 3]}\n" for number in range(9)]
    (made / "index.csv").write_text("file,prompt,label\n" + "".join(rows))
    return made, real


def test_every_score_as_json(clipsonic_command, encoder, folders, tmp_path) -> None:
    made, real = folders
    (made / "broken.wav").write_bytes(b"RIFF")
    code, said = clipsonic_command(
        "evaluate", "audio", made, "--reference", real, "--embedding", "mini", "--json", "--out", tmp_path / "out"
    )  # fmt: skip
    assert code == 0, said
    assert "left out broken.wav" in said
    page = json.loads((tmp_path / "out/audio.json").read_bytes())
    assert page == json.loads(said[said.index("{\n") : said.rindex("\n}") + 2])
    fad, fid = page["frechet_audio_distance"], page["frechet_mel_distance"]
    assert fad["low"] <= fad["value"] <= fad["high"]
    assert (fad["clips"], fad["windows"], fad["dimension"]) == (9, 18, 64)
    assert fad["embedding"] == "tones@0 (1.024 s windows every 1.024 s)"
    assert (
        f"FAD: {fad['warning']}" in page["notes"]
        and "18 generated windows and 18 reference windows" in fad["warning"]
    )
    assert fid["embedding"].startswith("mini@") and (fid["reference_clips"], fid["reference_windows"]) == (
        9,
        9,
    )
    assert page["clap_score"]["value"] > 0.95 and page["clap_score"]["items"] == 9
    assert page["clap_score"]["encoder"] == "tones@0"
    assert page["class_agreement"]["accuracy"]["value"] == 1
    assert page["class_agreement"]["confusion"] == [[3, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0]]
    assert list(page["skipped"]) == ["broken.wav"]
    assert page["checksum"] != page["reference_checksum"]


def test_the_reference_is_heard_once(clipsonic_command, encoder, folders) -> None:
    made, real = folders
    words = [
        "evaluate",
        "audio",
        made,
        "--reference",
        real,
        "--embedding",
        "mini",
        "--score-with",
        "none",
        *NO_FID,
    ]
    code, first = clipsonic_command(*words)
    assert (code, encoder.heard) == (0, 36), first
    code, again = clipsonic_command(*words)
    assert (code, encoder.heard) == (0, 36 + 18), again
    table = [line for line in first.splitlines() if line.startswith("FAD")]
    assert table and table == [line for line in again.splitlines() if line.startswith("FAD")]


def test_noise_and_shuffled_words_score_worse(clipsonic_command, encoder, folders, tmp_path) -> None:
    made, real = folders

    def page(*words: str | Path) -> dict:
        code, said = clipsonic_command(
            "evaluate", "audio", *words, "--reference", real, "--embedding", "mini", *NO_FID, "--json"
        )
        assert code == 0, said
        return json.loads(said[said.index("{\n") : said.rindex("\n}") + 2])

    good = page(made)
    shuffled = tmp_path / "shuffled.jsonl"
    rows = [{"file": f"{number}.wav", "prompt": f"{HERTZ[(number + 1) % 3]} Hz"} for number in range(9)]
    shuffled.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    wrong = page(made, "--prompts", shuffled)
    assert wrong["clap_score"]["high"] < good["clap_score"]["low"]
    assert wrong["class_agreement"] is None
    noise = tmp_path / "noise"
    noise.mkdir()
    for number in range(9):
        wave = 0.3 * torch.randn(35_200, generator=torch.Generator().manual_seed(number))
        soundfile.write(noise / f"{number}.wav", wave.numpy(), SAMPLE_RATE)
    bad = page(noise)
    assert bad["frechet_audio_distance"]["value"] > 5 * good["frechet_audio_distance"]["value"]
    assert bad["clap_score"] is None and any("no clip has a prompt" in note for note in bad["notes"])


def test_the_table_names_everything(clipsonic_command, encoder, folders) -> None:
    made, real = folders
    code, said = clipsonic_command(
        "evaluate", "audio", made, "--reference", real, "--embedding", "clap", *NO_FID,
        "--labels", "220, 880,3520,440",
    )  # fmt: skip
    assert code == 0, said
    parts = (
        "FAD",
        "9 clips (18 windows), 9 real (18)",
        "FAD-infinity",
        "too few for a covariance",
        "CLAP score",
    )
    for part in (*parts, "tones@0 (1.024 s windows every 1.024 s)", "class agreement", "9 clips, 4 labels"):
        assert part in said, said


def test_what_cannot_be_measured_is_said_in_a_line(
    clipsonic_command, encoder, folders, monkeypatch, tmp_path
) -> None:
    made, real = folders
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def refused(*words: str | Path) -> str:
        code, said = clipsonic_command("evaluate", "audio", *words)
        assert (code, encoder.heard) == (2, 0), said
        return said

    said = refused(made, "--reference", real)
    assert "`clipsonic models fetch vggish`" in said and "--embedding mini works offline" in said
    assert "is no folder" in refused(tmp_path / "none", "--reference", real)
    assert "is no folder" in refused(made, "--reference", real / "0.wav")
    assert "not among --labels" in refused(
        made, "--reference", real, "--embedding", "mini", "--labels", "220,880", *NO_FID
    )
    assert "cannot be read" in refused(
        made, "--reference", real, "--prompts", tmp_path / "none.csv", "--embedding", "mini"
    )


def test_sounds_that_are_none(clipsonic_command, encoder, folders, tmp_path) -> None:
    (tmp_path / "none").mkdir()
    for number in range(12):
        (tmp_path / "none" / f"{number:02d}.wav").write_bytes(b"RIFF")
    words = [
        "evaluate",
        "audio",
        tmp_path / "none",
        "--reference",
        folders[1],
        "--embedding",
        "mini",
        *NO_FID,
    ]
    code, said = clipsonic_command(*words)
    assert (code, "12 sounds cannot be used, and fewer than two can" in said) == (2, True), said
    for number in range(2):
        soundfile.write(tmp_path / "none" / f"good{number}.wav", tone(440).numpy(), SAMPLE_RATE)
    code, said = clipsonic_command(*words)
    assert (code, "left out 09.wav" in said, "and 2 more" in said) == (0, True, True), said


@pytest.mark.parametrize("shipped", [False, True])
def test_the_small_encoder_measures_offline(
    clipsonic_command, folders, monkeypatch, tmp_path, shipped
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if shipped and locate("mini-audio") is None:
        pytest.skip("its weights are not in the package")
    MiniAudioEncoder().save_pretrained(tmp_path / "encoder")
    made, real = folders
    code, said = clipsonic_command(
        "evaluate", "audio", made, "--reference", real, "--embedding", "mini" if shipped else tmp_path / "encoder",
        *NO_FID, "--json",
    )  # fmt: skip
    assert code == 0, said
    page = json.loads(said[said.index("{\n") : said.rindex("\n}") + 2])
    assert page["frechet_audio_distance"]["embedding"].startswith("mini-audio@")
    assert page["frechet_audio_distance"]["dimension"] == 128
    assert -1 <= page["clap_score"]["value"] <= 1 and page["class_agreement"]["accuracy"]["items"] == 9
    assert any("held-out clips" in note for note in page["notes"]) == shipped


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (None, []),
        ("dog, cat,", ["dog", "cat"]),
        (
            '"playing violin, fiddle", dog barking,"a ""loud"" horn"',
            ["playing violin, fiddle", "dog barking", 'a "loud" horn'],
        ),
    ],
)
def test_labels_with_commas_stand_in_quotes(words, labels) -> None:
    assert split_labels(words) == labels


def test_a_quote_that_is_not_closed_is_told() -> None:
    with pytest.raises(UserError, match="--labels"):
        split_labels('"dog, cat')


def test_labels_with_commas_are_chosen_from(clipsonic_command, encoder, folders) -> None:
    made, real = folders
    names = [f"tone, {hertz}" for hertz in HERTZ]
    rows = [f'{number}.wav,"{names[number % 3]}"\n' for number in range(9)]
    (made / "index.csv").write_text("file,label\n" + "".join(rows))
    words = ("evaluate", "audio", made, "--reference", real, "--embedding", "mini", *NO_FID)
    code, said = clipsonic_command(*words, "--labels", f'"{names[0]}","{names[1]}"', "--label", names[2])
    assert code == 0, said
    assert "9 clips, 3 labels" in said
    code, said = clipsonic_command(*words, "--labels", ",".join(names))
    assert code == 2
    assert names[0] in said and "--label" in said
