"""How many threads the numerical libraries take, and how they wait: decided before any of them is loaded."""

import math
import os
import time
from collections.abc import MutableMapping
from pathlib import Path
from statistics import median

THREADS, WAITING = "OMP_NUM_THREADS", "OMP_WAIT_POLICY"
LOOKS, PAUSE = 7, 0.004  # at what else runs, and seconds between two of them


def share_cores(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set as many threads as there are free cores, waiting without spinning; what the user has set stays.

    Threads of OpenMP that spin for each other take the cores from whatever else runs, and from each other where
    there are fewer cores than threads. Call this before torch is imported; processes started later inherit it.
    """
    environment.setdefault(WAITING, "PASSIVE")
    if not environment.get(THREADS):
        environment[THREADS] = str(free_cores())


def threads_each(processes: int, environment: MutableMapping[str, str] = os.environ) -> int:
    """Return the number of threads of each of several processes, which share what one would have."""
    given = environment.get(THREADS, "").split(",")[0]
    return max(1, (int(given) if given.isdecimal() else allowed_cores()) // processes)


def free_cores() -> int:
    """Return the number of cores that this process may use and nothing else does, at least 1."""
    return max(1, min(allowed_cores(), (os.cpu_count() or 1) - busy_cores()))


def allowed_cores() -> int:
    """Return the number of cores that this process may use, by its affinity and its control group."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no control group, or no limit: "max"
        return cores


def busy_cores() -> int:
    """Return how many other threads of the machine run now or wait for a core: the median of a few looks."""
    looks = []
    for _ in range(LOOKS):
        try:
            running = Path("/proc/loadavg").read_text().split()[3].partition("/")[0]
            looks.append(int(running) - 1)  # without this one
        except (OSError, ValueError, IndexError):  # not Linux
            return round(os.getloadavg()[0]) if hasattr(os, "getloadavg") else 0
        time.sleep(PAUSE)
    return max(0, int(median(looks)))
