"""The package as others see it: its names, its types, and what a wheel of it holds."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMES = """
import sys, clipsonic
assert dir(clipsonic) == sorted(clipsonic.__all__), dir(clipsonic)
assert "torch" not in sys.modules  # nothing was asked for yet
space = {}
exec("from clipsonic import *", space)
assert space.keys() - {"__builtins__"} == set(clipsonic.__all__), space.keys()
assert clipsonic.CLIPSonicPipeline.__module__ == "clipsonic.pipeline"
"""


def test_the_public_names_are_those_of_all() -> None:
    """In a process of its own: what others have imported here is an attribute of the package, too."""
    done = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_wheel_holds_all_that_is_no_code() -> None:
    """What is forgotten in `package-data` works in a checkout and is missing where it is installed."""
    held = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    package = ROOT / "src" / "clipsonic"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "."],
        cwd=package,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    data = {name for name in listed if not name.endswith(".py")}
    packed = {
        str(path.relative_to(package)) for pattern in held["clipsonic"] for path in package.glob(pattern)
    }
    assert "py.typed" in data
    assert data <= packed, data - packed
