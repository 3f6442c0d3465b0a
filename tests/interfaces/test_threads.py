"""How many threads, and how they wait: the user's choice, else what is free."""

import os

import pytest

from clipsonic.interfaces import threads


@pytest.fixture
def machine(monkeypatch):
    """Makes this a machine of so many cores, of which the process may use some and others are busy."""

    def make(cores: int, allowed: int, busy: int) -> None:
        monkeypatch.setattr(os, "cpu_count", lambda: cores)
        monkeypatch.setattr(threads, "allowed_cores", lambda: allowed)
        monkeypatch.setattr(threads, "busy_cores", lambda: busy)

    return make


@pytest.mark.parametrize(
    ("cores", "allowed", "busy", "free"),
    [(2, 2, 0, 2), (2, 2, 1, 1), (2, 2, 9, 1), (64, 4, 10, 4), (64, 4, 62, 2), (64, 64, 0, 64)],
)
def test_threads_are_the_free_cores(machine, cores, allowed, busy, free) -> None:
    machine(cores, allowed, busy)
    environment: dict[str, str] = {}
    threads.share_cores(environment)
    assert environment == {"OMP_NUM_THREADS": str(free), "OMP_WAIT_POLICY": "PASSIVE"}


def test_what_the_user_set_stays(machine) -> None:
    machine(8, 8, 7)
    asked = {"OMP_NUM_THREADS": "6", "OMP_WAIT_POLICY": "ACTIVE"}
    environment = dict(asked)
    threads.share_cores(environment)
    assert environment == asked


def test_processes_share_the_threads() -> None:
    assert threads.threads_each(3, {"OMP_NUM_THREADS": "8"}) == 2
    assert threads.threads_each(4, {"OMP_NUM_THREADS": "1"}) == 1
    assert threads.threads_each(2, {"OMP_NUM_THREADS": "6,2"}) == 3
    assert threads.threads_each(1, {}) == threads.allowed_cores()


def test_this_machine_is_read() -> None:
    assert 1 <= threads.free_cores() <= threads.allowed_cores() <= (os.cpu_count() or 1)


def test_importing_the_package_changes_no_environment() -> None:
    """The command line decides; a program that imports clipsonic decides for itself."""
    import subprocess
    import sys

    code = "import os; before = dict(os.environ); import clipsonic, clipsonic.interfaces.threads; "
    code += "assert dict(os.environ) == before"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
