"""Files and folders are whole or absent, and one process at a time holds a folder."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from clipsonic import files
from clipsonic.errors import UserError
from clipsonic.files import (
    LOCK,
    cache_folder,
    ensure_cache,
    only_one,
    take_place,
    user_cache,
    whole_file,
    whole_folder,
    write_json,
    writing,
)
from clipsonic.published import torch_hub_folder

HOLD = "import sys, time; from pathlib import Path; from clipsonic.files import only_one\n"
HOLD += "with only_one(Path(sys.argv[1])): print('held', flush=True); time.sleep(600)"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_fails_leaves_what_was_there(tmp_path) -> None:
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(RuntimeError), whole_file(tmp_path / "a.json") as file:
        file.write(b"half")
        raise RuntimeError
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "a") as folder:
        (folder / "half").touch()
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "1\n"


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_folder_takes_the_place_of_another(tmp_path, monkeypatch, exchanges) -> None:
    if not exchanges:
        monkeypatch.setattr(files, "_exchanged", lambda one, other: False)
    for name in ("old", "new"):
        with whole_folder(tmp_path / "model") as folder:
            (folder / name).touch()
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_names_are_exchanged_in_one_move(tmp_path, monkeypatch) -> None:
    """Killed before the old folder is removed: the new one is there as a whole, the old one beside it."""
    if sys.platform != "linux":
        pytest.skip("only Linux exchanges names")
    for name in ("model", ".model.1.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    monkeypatch.setattr(files.shutil, "rmtree", lambda *rest, **more: None)
    monkeypatch.setattr(Path, "rename", None)
    take_place(tmp_path / ".model.1.part", tmp_path / "model")
    assert names(tmp_path / "model") == [".model.1.part"]
    assert names(tmp_path / ".model.1.part") == ["model"]


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path) -> None:
    folder = tmp_path / "run"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        (folder / ".half.json.1.part").touch()
        (folder / ".clipsonic-half").mkdir()
        refused = pytest.raises(UserError, match="is being written by another clipsonic; wait for it or name")
        with refused, only_one(folder):
            pass
        assert (folder / ".half.json.1.part").exists()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    finally:
        holder.kill()
        holder.communicate()
    assert (folder / LOCK).exists()
    with only_one(folder):
        assert names(folder) == [LOCK]  # what was half-written is gone


def test_a_lock_leaves_no_trace(tmp_path) -> None:
    with only_one(tmp_path / "new" / "run"):
        pass
    assert not (tmp_path / "new" / "run").exists()
    with only_one(tmp_path):
        (tmp_path / "kept").touch()
    assert names(tmp_path) == ["kept", "new"]


def test_a_file_where_a_folder_should_be(tmp_path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(UserError, match="run cannot be written"), only_one(tmp_path / "run"):
        pass


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_what_the_system_refuses_is_one_line(tmp_path, number) -> None:
    with (
        pytest.raises(UserError, match=f"cannot be written: {os.strerror(number)}") as caught,
        writing(tmp_path),
    ):
        raise OSError(number, os.strerror(number))
    assert "\n" not in str(caught.value)


def test_names_last_through_a_power_cut(tmp_path, monkeypatch) -> None:
    """The folder is synced after the file was renamed in it."""
    done = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda handle: done.append(Path(f"/proc/self/fd/{handle}").resolve()) or sync(handle)
    )
    monkeypatch.setattr(Path, "replace", lambda old, new: done.append("renamed") or replace(old, new))
    write_json(tmp_path / "a.json", 1)
    assert [each if each == "renamed" else each.suffix for each in done] == [".part", "renamed", ""]
    assert done[-1] == tmp_path


@pytest.fixture
def no_home(monkeypatch) -> None:
    """A process of a user without a home folder or an entry in passwd."""
    for name in (
        "HOME",
        "XDG_CACHE_HOME",
        "HF_HOME",
        "TORCH_HOME",
        "MPLCONFIGDIR",
        "TORCHINDUCTOR_CACHE_DIR",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)


def test_cache_of_a_user_without_home_is_temporary_and_for_all_libraries(no_home, monkeypatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    assert user_cache() is None
    ensure_cache()
    base = Path(os.environ["XDG_CACHE_HOME"])
    assert cache_folder() == base / "clipsonic"
    assert os.environ["MPLCONFIGDIR"] == str(base)
    assert base.stat().st_mode & 0o77 == 0
    assert torch_hub_folder().is_absolute()


@pytest.mark.parametrize("value", ["", None])
def test_empty_xdg_cache_home_is_as_if_unset(monkeypatch, tmp_path, value) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TORCH_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_folder() == tmp_path / ".cache" / "clipsonic"
    assert torch_hub_folder() == tmp_path / ".cache" / "torch" / "hub" / "checkpoints"


def test_empty_home_is_no_home(no_home, monkeypatch) -> None:
    monkeypatch.setenv("HOME", "")
    assert user_cache() is None


def test_cache_below_a_file_or_in_a_folder_of_others_is_not_used(monkeypatch, tmp_path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    assert tmp_path not in cache_folder().parents
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder().parent == tmp_path / "cache"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert tmp_path not in cache_folder().parents


def test_models_in_a_cache_that_can_only_be_read_are_still_found(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in ("HF_HOME", "TORCH_HOME"):
        os.environ.pop(name, None)
    os.environ["XDG_CACHE_HOME"] = str(tmp_path)
    (tmp_path / "huggingface").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    ensure_cache()
    assert os.environ["HF_HOME"] == str(tmp_path / "huggingface")
    assert "TORCH_HOME" not in os.environ
    assert os.environ["XDG_CACHE_HOME"] != str(tmp_path)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_files_of_libraries_have_the_mode_that_the_umask_leaves(tmp_path, umask, mode) -> None:
    before = os.umask(umask)
    try:
        with whole_folder(tmp_path / "model") as folder:
            (folder / "weights").touch(mode=0o600)
        with whole_file(tmp_path / "rows") as file:
            Path(file.name).unlink()
            Path(file.name).touch(mode=0o600)
    finally:
        os.umask(before)
    for path in (tmp_path / "model" / "weights", tmp_path / "rows"):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_json_holds_names_that_are_not_text(tmp_path) -> None:
    value = {os.fsdecode(b"caf\xe9"): "\u2028 \u96e8"}
    write_json(tmp_path / "a.json", value)
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == value
