"""Writes docs/cli.md from the program itself: `python docs/make_cli.py`. A test says when that was forgotten."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from clipsonic.interfaces.cli import app
from clipsonic.interfaces.options import EXIT_CODES

PAGE = Path(__file__).with_name("cli.md")
SHARED = ("--debug", "--quiet", "--json", "--help")  # described once, above

HEAD = """# The command line

Written by `docs/make_cli.py` from the program; `clipsonic COMMAND --help` says the same.

## Of every command

These may stand before or after the command's name.

| option | what it does |
|---|---|
{shared}

Answers go to the standard output: tables, lists, plans, and what `--json` says. Progress, notes and errors go to
the error stream. In a terminal progress is a bar with the time left; elsewhere a line every {every:.0f} seconds.
`NO_COLOR` is respected.

With `--json` a command that shows something prints one JSON document. One that makes something prints a line of
JSON for each: files, seeds, seconds, numbers. Errors are lines `{{"error": "..."}}` on the error stream, beside
notes and progress; `--quiet` leaves errors alone there.

```sh
clipsonic generate "rain" --seed 7 -o rain.wav --json --quiet
```

```json
{{"file": "rain.wav", "picture": "rain.png", "sidecar": "rain.json", "query": "rain", "seed": 7, "seconds": 4.096}}
```

## Exit codes

| code | meaning |
|---|---|
{codes}

Ctrl-C and SIGTERM end `generate`, `prepare`, `train`, `evaluate` and `reproduce` with whole files only. `prepare`,
`train`, `reproduce` and `generate --prompts` go on by the same command. `train` ends after the step it is at and
saves it; a second Ctrl-C ends it at once, and what was not saved is lost.

## Completion

`clipsonic completion bash`, `zsh` or `fish` prints a script that completes commands, options, and names: of
bridges, schedulers, presets, published models, and models in the hub's cache. Elsewhere your shell completes files.

```sh
clipsonic completion bash > ~/.local/share/bash-completion/completions/clipsonic
clipsonic completion zsh > ~/.zfunc/_clipsonic
clipsonic completion fish > ~/.config/fish/completions/clipsonic.fish
```

Make the folders first where they are missing. `~/.zfunc` must be in `fpath` before `compinit` in `.zshrc`; bash
looks into its folder if the package bash-completion is installed, otherwise `source` the script in `.bashrc`.
"""


def page() -> str:
    """The whole page."""
    from clipsonic.interfaces.progress import EVERY

    program = get_command(app)
    shared = [_row(option) for option in program.params if option.opts[0] in (*SHARED, "--version")]
    shared.append(_line("`--help`", "Show the options and examples of a command, and stop."))
    codes = "\n".join(_line(str(code), meaning) for code, meaning in EXIT_CODES.items())
    parts = [HEAD.format(shared="\n".join(shared), codes=codes, every=EVERY)]
    return "\n".join([*parts, *(_section(name, command) for name, command in commands(program))])


def commands(program: Any, before: str = "clipsonic") -> Iterator[tuple[str, Any]]:
    """Every command with its whole name, groups that do something by themselves included."""
    for name, command in program.commands.items():
        whole = f"{before} {name}"
        if not hasattr(command, "commands"):
            yield whole, command
            continue
        if command.invoke_without_command:
            yield whole, command
        yield from commands(command, whole)


def _section(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [
        each for each in command.params if each.param_type_name == "option" and each.opts[0] not in SHARED
    ]
    lines = [f"## {name}", "", inspect.cleandoc(command.help), ""]
    if rows := [_row(each) for each in (*arguments, *options)]:
        lines += ["| argument or option | what it is |", "|---|---|", *rows, ""]
    return "\n".join([*lines, "```sh", *examples(command), "```", ""])


def examples(command: Any) -> list[str]:
    """The commands at the end of its help."""
    return [line.removeprefix("$ ") for line in (command.epilog or "").splitlines()[1:]]


def _row(each: Any) -> str:
    names = ", ".join(f"`{word}`" for word in (*each.opts, *each.secondary_opts))
    if each.param_type_name == "argument":
        names = "`" + (each.metavar or each.name.upper()).translate({ord("["): None, ord("]"): None}) + "`"
    return _line(names + _value(each), f"{each.help}{_default(each)}")


def _value(each: Any) -> str:
    if each.param_type_name == "argument" or getattr(each, "is_flag", False):
        return ""
    return f" {each.metavar}" if each.metavar else " ..."


def _default(each: Any) -> str:
    if each.required:
        return " Required."
    if each.default in (None, False, ()) or getattr(each, "is_flag", False):
        return ""
    value = each.default
    shown = " ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
    return f" `{shown}` unless told."


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
