"""Damage of any kind to settings, shard indexes, model folders and lists is told in one line, or does no harm.

`CLIPSONIC_FUZZ=1000 pytest tests/test_properties.py` tries so many damages of each instead of a few.
"""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipsonic.data.catalogues import read_music, read_vggsound
from clipsonic.data.pairs import read_captions
from clipsonic.data.readers import MISSING, _read
from clipsonic.data.shards import (
    ClipInfo,
    NewClip,
    ShardWriter,
    finished_shards,
    flac,
    frames_bytes,
    read_info,
)
from clipsonic.data.sources import find_videos
from clipsonic.errors import UserError
from clipsonic.interfaces.settings import choose
from clipsonic.model_folder import WEIGHTS, check_folder
from clipsonic.parts import PARTS
from clipsonic.settings.prior import PRIOR_PRESETS
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS
from clipsonic.settings.vocoder import VOCODER_PRESETS
from clipsonic.training.loop import train
from tests.training.straight import Straight

LONG = int(os.environ.get("CLIPSONIC_FUZZ", "0"))
fuzzed = settings(
    max_examples=LONG or 25,
    deadline=None,
    derandomize=not LONG,  # CI tries the same ones every time
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3),
    max_leaves=6,
)


def places(page: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where there is something in a JSON page."""
    inside = page.items() if isinstance(page, dict) else enumerate(page) if isinstance(page, list) else ()
    return [path, *(place for key, value in inside for place in places(value, (*path, key)))]


def replaced(page: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    copy = dict(page) if isinstance(page, dict) else list(page)
    copy[place[0]] = replaced(page[place[0]], place[1:], value)
    return copy


@st.composite
def damages(draw: Callable[..., Any], content: bytes) -> bytes:
    """Bytes cut off, overwritten or added to; of JSON also another value somewhere, which is the subtler harm."""
    if content.lstrip().startswith(b"{") and draw(st.booleans()):
        page = json.loads(content)
        return json.dumps(replaced(page, draw(st.sampled_from(places(page))), draw(VALUES))).encode()
    start = draw(st.integers(0, len(content)))
    end = draw(st.integers(start, min(len(content), start + 20)))
    rest = draw(st.sampled_from([content[end:], b""]))
    return content[:start] + draw(st.binary(max_size=12)) + rest


def one_line_or_well(action: Callable[[], object]) -> None:
    try:
        action()
    except UserError as error:
        assert str(error)


@pytest.mark.parametrize("presets", [SPECTROGRAM_PRESETS, PRIOR_PRESETS, VOCODER_PRESETS])
def test_settings_on_the_command_line(presets) -> None:
    page = presets["mini"].model_dump(mode="json")
    names = [
        ".".join(map(str, place)) for place in places(page) if all(isinstance(key, str) for key in place)
    ]

    @fuzzed
    @given(st.sampled_from(names) | st.text(max_size=20), VALUES.map(json.dumps) | st.text(max_size=8))
    def check(name: str, value: str) -> None:
        one_line_or_well(lambda: choose(presets, "mini", [f"{name}={value}"]))

    check()


def test_settings_of_a_run(tmp_path) -> None:
    list(train(Straight(steps=0), tmp_path / "run"))
    path = tmp_path / "run" / "settings.json"
    content = path.read_bytes()

    @fuzzed
    @given(damages(content))
    def check(damaged: bytes) -> None:
        path.write_bytes(damaged)
        one_line_or_well(lambda: list(train(Straight(steps=0), tmp_path / "run")))

    check()


@pytest.fixture
def shards(tmp_path) -> Path:
    """A data set of one shard with two clips."""
    random = np.random.default_rng(0)
    writer = ShardWriter()
    for name in "ab":
        info = ClipInfo(source=name, start=0.0, seconds=2.5, picture_times=[0.0], label=name)
        frames = frames_bytes(random.normal(size=(1, 4)).astype("f4"))
        writer.add(name, [NewClip(name, info, flac(np.zeros(40_000, "f4")), frames)])
    writer.add("c", "silent")
    writer.write(tmp_path, 0)
    page = {"encoder_id": "none", "embedding_dim": 4, "clip_seconds": 10.0}
    (tmp_path / "dataset.json").write_text(json.dumps(page))
    return tmp_path


@pytest.mark.parametrize("file", ["shard-000000.index.json", "dataset.json"])
def test_shard_indexes(shards, file) -> None:
    content = (shards / file).read_bytes()

    @fuzzed
    @given(damages(content))
    def check(damaged: bytes) -> None:
        (shards / file).write_bytes(damaged)
        one_line_or_well(lambda: (read_info(shards), finished_shards(shards)))

    check()


def test_model_folders(tmp_path, tiny_model) -> None:
    content = (tiny_model / "model_index.json").read_bytes()
    for part in json.loads(content):
        (tmp_path / part).mkdir()
        for file in ("config.json", WEIGHTS, "scheduler_config.json"):
            (tmp_path / part / file).touch()

    @fuzzed
    @given(damages(content))
    def check(damaged: bytes) -> None:
        (tmp_path / "model_index.json").write_bytes(damaged)
        one_line_or_well(lambda: check_folder(tmp_path, PARTS, {"unet", "scheduler", "vocoder", "encoder"}))

    check()


MUSIC = json.dumps({"videos": {"flute": ["---g-f_I2yQ"], "flute violin": ["--0PQM4-hqg"]}}).encode()
LISTS: dict[str, tuple[str, bytes, Callable[[Path], object]]] = {
    "vggsound": ("a.csv", b'---g-f_I2yQ,1,dog,test\n--0PQM4-hqg,30,"a, b",train\n', read_vggsound),
    "music": ("a.json", MUSIC, lambda path: read_music([path])),
    "videos": (
        "a.csv",
        b"path,label,start,seconds\na.mp4,dog,1.5,10\nb.mp4,,,\n",
        lambda path: find_videos([path]),
    ),
    "captions": ("a.csv", b"path,caption\na.png,a dog\n", read_captions),
    "captions by line": ("a.jsonl", b'{"path": "a.png", "captions": ["a dog"]}\n', read_captions),
}


@pytest.mark.parametrize("name", LISTS)
def test_lists(name) -> None:
    file, content, read = LISTS[name]

    @fuzzed
    @given(damages(content))
    def check(damaged: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / file).write_bytes(damaged)
            one_line_or_well(lambda: read(Path(folder) / file))

    check()


def test_a_name_that_no_file_can_have(tmp_path) -> None:
    """Found by 5,000 damages: a NUL in a path of a list; the video is not there, and the others are read."""
    (tmp_path / "a.csv").write_bytes(b"path\na\x00b.mp4\nc.mp4\n")
    found = find_videos([tmp_path / "a.csv"])
    assert [video.name for video in found] == ["a\x00b.mp4", "c.mp4"]
    assert _read(found[0], 10.0) == MISSING
