"""The server's numbers as Prometheus reads them."""

import resource
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from clipsonic.interfaces.serve.job import CANCELLED, DONE, FAILED, Stats

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics(stats: Stats, responses: Mapping[int, int]) -> str:
    """All numbers, each with what it means.

    Args:
        responses: that were sent, by status.
    """
    return "".join(f"{line}\n" for line in _lines(stats, responses))


def _lines(stats: Stats, responses: Mapping[int, int]) -> Iterator[str]:
    ended = {f'state="{state}"': stats.ended.get(state, 0) for state in (DONE, FAILED, CANCELLED)}
    sent = {f'status="{status}"': count for status, count in sorted(responses.items())}
    for name, kind, says, values in (
        ("jobs_waiting", "gauge", "Jobs that wait.", {"": stats.waiting}),
        ("jobs_running", "gauge", "Jobs in the batch that is made now.", {"": stats.running}),
        ("jobs_kept", "gauge", "Jobs that have ended and can be fetched.", {"": stats.kept}),
        ("jobs_ended_total", "counter", "Jobs that have ended, by how.", ended),
        ("jobs_refused_total", "counter", "Requests refused for want of a place.", {"": stats.refused}),
        ("clips_total", "counter", "Clips made.", {"": stats.clips}),
        ("batches_total", "counter", "Batches begun.", {"": stats.batches}),
        ("jobs_waited_seconds_total", "counter", "Time that jobs have waited.", {"": stats.waited_seconds}),
        ("worked_seconds_total", "counter", "Time that batches have taken.", {"": stats.worked_seconds}),
        ("responses_total", "counter", "HTTP responses, by status.", sent),
        ("resident_memory_bytes", "gauge", "Memory of this process.", {"": resident_bytes()}),
    ):
        yield f"# HELP clipsonic_{name} {says}"
        yield f"# TYPE clipsonic_{name} {kind}"
        for label, value in values.items():
            labels = f"{{{label}}}" if label else ""
            yield f"clipsonic_{name}{labels} {value:.10g}"


def resident_bytes() -> int:
    """Memory of this process now; where the system does not tell, the most it ever had."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return pages * resource.getpagesize()
