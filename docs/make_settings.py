"""Writes docs/settings.md from the settings' models: `python docs/make_settings.py`; a test says when to."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clipsonic.config import Frozen
from clipsonic.settings.audio_encoder import AUDIO_ENCODER_PRESETS
from clipsonic.settings.prior import PRIOR_PRESETS
from clipsonic.settings.spectrogram import SPECTROGRAM_PRESETS
from clipsonic.settings.vocoder import VOCODER_PRESETS

PAGE = Path(__file__).with_name("settings.md")
COMMANDS: dict[str, Mapping[str, Frozen]] = {
    "train spectrogram": SPECTROGRAM_PRESETS,
    "train vocoder": VOCODER_PRESETS,
    "train prior": PRIOR_PRESETS,
    "train audio-encoder": AUDIO_ENCODER_PRESETS,
}
HEAD = """# Settings

Written by `docs/make_settings.py` from the program.

`clipsonic train` takes a preset and changes to it; `--dry-run` prints what results, and how long it takes here.

```sh
clipsonic train spectrogram --data data --out run --set training.steps=500 --set unet.blocks=3 --dry-run
```

Values of `--set` are JSON (`8`, `1e-4`, `[64,128]`, `true`) or a word. A run is resumed with the settings it began
with, but for `training.steps`, `learning_rate`, `precision`, `checkpoint_every`, `validate_every`, `log_every`,
`workers`, `on_nan`, `shard`, and `batch_size` if all processes together see as many examples a step. With
`training.precision=auto` it keeps the precision it began with.
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *(_section(name, presets) for name, presets in COMMANDS.items())])


def _section(command: str, presets: Mapping[str, Frozen]) -> str:
    columns = {name: dict(_rows(settings, "")) for name, settings in presets.items()}
    names = list(dict.fromkeys(name for rows in columns.values() for name in rows))
    lines = [
        f"## {command}",
        "",
        "| setting | what it is | values | " + " | ".join(f"`{name}`" for name in columns) + " |",
        "|---|---|---|" + "---|" * len(columns),
    ]
    for name in names:
        _, says, values = next(rows[name] for rows in columns.values() if name in rows)
        cells = [f"`{_shown(rows[name][0])}`" if name in rows else "" for rows in columns.values()]
        lines.append(f"| `{name}` | {says} | {values} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _rows(settings: Frozen, before: str) -> Iterator[tuple[str, tuple[Any, str, str]]]:
    """Each setting, nested ones with their path: its value, what it is, what it may be."""
    schema = type(settings).model_json_schema()
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, Frozen):
            yield from _rows(value, f"{before}{name}.")
            continue
        assert field.description, f"{type(settings).__name__}.{name} has no description"
        said = " ".join(field.description.split())
        yield before + name, (value, said, _values(schema["properties"][name]))


def _values(schema: Mapping[str, Any]) -> str:
    """What a setting may be, from its JSON schema."""
    if "enum" in schema:
        return ", ".join(str(each) for each in schema["enum"])
    kind = {"integer": "whole number", "number": "number", "boolean": "true, false", "array": "list"}[
        schema["type"]
    ]
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return " ".join(
        [kind, ", ".join(f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema)]
    ).strip()


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
