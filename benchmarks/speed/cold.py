"""From the shell to a sound: `clipsonic generate` as a new process, and how much of it is imports."""

import json
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.speed.timing import Row, seconds

COMMAND = "import sys; from clipsonic.interfaces.cli import main; sys.argv[0] = 'clipsonic'"
WORDS = ("generate", "a photo of a dog", "--seed", "1", "-o")
# Everything that the command has imported when it is done, in the order in which it was asked for.
IMPORTED = """
import atexit, json, sys
atexit.register(lambda: print(json.dumps(list(sys.modules))))
"""
IMPORT_ALL = """
import importlib, json, sys, warnings
from clipsonic.interfaces.start import absent, uncollected
names = json.loads(sys.stdin.read())
with uncollected(), absent("scipy"):
    for name in names:
        if name not in sys.modules:
            try:
                importlib.import_module(name)
            except Exception:
                pass
"""


def measure(runs: int, peers: Path | None) -> list[Row]:
    """Wall seconds of the whole process, its files in the disk cache; the imports alone are timed as well."""
    with tempfile.TemporaryDirectory() as folder:
        words = [*WORDS, str(Path(folder) / "dog.wav")]
        generate = partial(_python, f"{COMMAND}; main()", words)
        names = _python(IMPORTED + f"{COMMAND}; main()", words).splitlines()[-1]
        imports = partial(_python, IMPORT_ALL, [], names)
        imports()
        pairs = [(seconds(generate), seconds(imports)) for _ in range(runs)]
    whole, imported = (statistics.median(times) for times in zip(*pairs, strict=True))
    ours = statistics.median(one - other for one, other in pairs)
    quality = (
        f"{imported:.2f} s start, imports and end of Python ({len(json.loads(names))} modules), "
        f"{ours:.2f} s ours (asked: 2 s)"
    )
    return [Row("generate, from a cold process to the file", "", whole, None, None, "6 s", quality)]


def _python(program: str, words: list[str], said: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *words], input=said, capture_output=True, text=True, check=True
    )
    return done.stdout
