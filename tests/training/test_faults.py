"""Harm done to training: numbers that are not finite, full disks, lost data, killed readers, clocks, kill -9."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from clipsonic import files
from clipsonic.errors import UserError
from clipsonic.training import loop
from clipsonic.training.loop import BAD_BATCH, train
from tests.training.straight import Straight


class RootOfNought(Straight):
    """A loss that is finite, with a gradient that is not."""

    def losses(
        self, model: torch.nn.Module, batch: dict[str, Tensor], random: torch.Generator
    ) -> dict[str, Tensor]:
        loss = super().losses(model, batch, random)["mse"]
        return {"mse": loss + (0 * loss).sqrt()}


def state_of(out: Path) -> dict[str, Tensor]:
    return load_file(out / "state.safetensors")


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_and_keeps_its_batch(tmp_path, bad) -> None:
    with pytest.raises(
        UserError, match=r"the loss is (nan|inf) at step 3; its batch is in .* of step 2, is kept"
    ):
        list(train(Straight(bad), tmp_path / "run"))
    kept = load_file(tmp_path / "run" / BAD_BATCH)
    assert kept["step"] == 3
    assert not torch.isfinite(kept["x"]).all()
    assert state_of(tmp_path / "run")["step"] == 2
    assert all(torch.isfinite(value).all() for value in state_of(tmp_path / "run").values())


def test_a_gradient_that_is_not_finite_stops_before_it_is_in_the_weights(tmp_path) -> None:
    with pytest.raises(UserError, match="the gradient is not finite at step 0"):
        list(train(RootOfNought(), tmp_path / "run"))
    assert not (tmp_path / "run" / "state.safetensors").exists()


def test_it_may_be_left_out_and_is_counted(tmp_path) -> None:
    with pytest.raises(UserError):
        list(train(Straight(float("nan")), tmp_path / "run"))
    states = list(train(Straight(float("nan"), on_nan="skip"), tmp_path / "run"))  # the run goes on under it
    assert [state.skipped for state in states] == [0, 1, 1, 1, 1, 1]
    assert [set(state.losses) for state in states] == [{"mse"}, set(), *[{"mse"}] * 4]
    list(train(Straight(float("nan"), on_nan="skip"), tmp_path / "whole"))
    assert same(state_of(tmp_path / "run"), state_of(tmp_path / "whole"))


def test_a_run_that_only_leaves_out_ends(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(loop, "MOST_SKIPPED", 3)
    with pytest.raises(UserError, match="the gradient is not finite at step 3, 4 steps in a row"):
        list(train(RootOfNought(on_nan="skip"), tmp_path / "run"))


def test_a_second_run_in_one_folder_is_refused(tmp_path) -> None:
    first = train(Straight(), tmp_path / "run")
    next(first)
    with pytest.raises(UserError, match="is being written by another clipsonic"):
        next(train(Straight(), tmp_path / "run"))
    first.close()
    assert [state.step for state in train(Straight(), tmp_path / "run")] == list(range(2, 9))
    assert not (tmp_path / "run" / files.LOCK).exists()


@pytest.mark.parametrize("full_at", ["state.safetensors", "settings.json", BAD_BATCH])
def test_a_full_disk_is_one_line_and_leaves_the_last_checkpoint(tmp_path, monkeypatch, full_at) -> None:
    out = tmp_path / "run"
    list(train(Straight(steps=2), out))
    before = state_of(out)
    sync = os.fsync

    def full(handle: int) -> None:
        if full_at in Path(f"/proc/self/fd/{handle}").resolve().name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="run cannot be written: No space left on device"):
        list(train(Straight(float("nan"), on_nan="skip"), out))
    monkeypatch.undo()
    assert same(state_of(out), before)
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]
    list(train(Straight(), out))
    assert state_of(out)["step"] == 8


def test_data_that_went_away(tmp_path, monkeypatch) -> None:
    whole = Straight.batches

    def gone(self: Straight, *where: int) -> Iterator[dict[str, Tensor]]:
        for number, batch in enumerate(whole(self, *where)):
            if number == 5:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "shard")
            yield batch

    monkeypatch.setattr(Straight, "batches", gone)
    with pytest.raises(UserError, match=r"the data cannot be read: No such file .* checkpoint, of step 4"):
        list(train(Straight(), tmp_path / "run"))
    monkeypatch.undo()
    list(train(Straight(), tmp_path / "run"))
    list(train(Straight(), tmp_path / "whole"))
    assert same(state_of(tmp_path / "run"), state_of(tmp_path / "whole"))


class Killed(torch.utils.data.Dataset):
    def __getitem__(self, number: int) -> Tensor:
        os.kill(os.getpid(), signal.SIGKILL)
        return torch.zeros(1)

    def __len__(self) -> int:
        return 8


@pytest.mark.processes
def test_a_reader_that_was_killed(tmp_path, monkeypatch) -> None:
    def batches(self: Straight, *where: int) -> Iterator[Tensor]:
        yield from torch.utils.data.DataLoader(Killed(), num_workers=1, multiprocessing_context="spawn")

    monkeypatch.setattr(Straight, "batches", batches)
    with pytest.raises(UserError, match="ended from outside, perhaps for want of memory"):
        list(train(Straight(), tmp_path / "run"))


def test_too_little_memory(tmp_path, monkeypatch) -> None:
    def losses(self: Straight, *rest: object) -> dict[str, Tensor]:
        return {"mse": torch.zeros(2**60, dtype=torch.uint8).float().sum()}

    monkeypatch.setattr(Straight, "losses", losses)
    with pytest.raises(UserError, match=r"out of memory; choose --set training\.batch_size lower"):
        list(train(Straight(), tmp_path / "run"))


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b'{"settings": 1}', b"[" * 100_000])
def test_a_damaged_page_of_settings(tmp_path, content) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "settings.json").write_bytes(content)
    with pytest.raises(UserError):
        list(train(Straight(), tmp_path / "run"))
    assert (tmp_path / "run" / "settings.json").read_bytes() == content


def test_a_run_without_the_setting_goes_on(tmp_path) -> None:
    """Begun before there was a choice of what a loss that is not finite does."""
    list(train(Straight(steps=2), tmp_path / "run"))
    page = json.loads((tmp_path / "run" / "settings.json").read_text())
    del page["settings"]["training"]["on_nan"]
    (tmp_path / "run" / "settings.json").write_text(json.dumps(page))
    assert [state.step for state in train(Straight(steps=3), tmp_path / "run")] == [3]


KILLED = "import sys; from pathlib import Path; from clipsonic.training.loop import train\n"
KILLED += "from tests.training.straight import Straight\n"
KILLED += "for state in train(Straight(), Path(sys.argv[1])): print(state.step, flush=True)"


@pytest.mark.processes
def test_kill_9_then_the_same_numbers(tmp_path) -> None:
    out = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(out)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line == "5\n":
            break
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert state_of(out)["step"] % 2 == 0
    list(train(Straight(), out))
    list(train(Straight(), tmp_path / "whole"))
    assert same(state_of(out), state_of(tmp_path / "whole"))
    assert (out / "model" / "weight").read_text() == (tmp_path / "whole" / "model" / "weight").read_text()
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]
