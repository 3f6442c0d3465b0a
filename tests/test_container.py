"""The Dockerfile names what is there, and the image's server is what the package has; it is not built here."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_what_is_copied_is_there_and_not_ignored() -> None:
    text = (ROOT / "Dockerfile").read_text()
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [name for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE) for name in line.split()]
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        assert name in kept, name


def test_it_serves_as_another_user_without_cuda() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert text.index("whl/cpu") < text.index('".[serve]"')
    assert re.search(r"^torch==\S+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert text.index("USER clipsonic") < text.index('ENTRYPOINT ["clipsonic", "serve"')
    assert "/health" in text
