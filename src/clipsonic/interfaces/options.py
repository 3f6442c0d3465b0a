"""What all commands share: the options of each, and how their help ends."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from clipsonic.interfaces.choices import DEVICES, among

Debug = Annotated[bool, typer.Option("--debug", help="Show where in the program an error arose.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but errors and what is asked to be shown.")]
Json = Annotated[
    bool,
    typer.Option("--json", help="For programs: what was made as JSON on the standard output, errors too."),
]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Share the work out over this Ray cluster; 'local' begins one on this machine.",
    ),
]

Device = Annotated[
    str, typer.Option(help="Device of the networks, such as cuda.", autocompletion=among(DEVICES))
]

EXIT_CODES = {
    0: "done",
    1: "a mistake of the program, or nobody reads its output any more",
    2: "yours to mend: one line says what is wrong and what to do",
    130: "stopped by Ctrl-C or SIGTERM; nothing is half-written",
}


def examples(*lines: str) -> str:
    """Commands without their first word => the end of a help page."""
    return "\n".join(["Examples:", *(f"$ clipsonic {line}" for line in lines)])


def exit_codes() -> str:
    """The end of the help of the whole program."""
    return "\n".join(["Exit codes:", *(f"{code}: {meaning}" for code, meaning in EXIT_CODES.items())])


def _shared(debug: Debug = False, quiet: Quiet = False, as_json: Json = False) -> None:
    """What every command takes; `telling.begin` reads them, so that no function hands them on."""


class Program(TyperGroup):
    """All commands, each with the shared options, which may stand before or after its name."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        apart = typer.Typer(add_completion=False)
        apart.command()(_shared)
        shared = get_command(apart).params
        for option in shared:
            option.expose_value = False
        _extend(self, shared)


def _extend(command: Any, shared: list[Any]) -> None:
    has = {word for option in command.params for word in option.opts}
    command.params = [*command.params, *(option for option in shared if not has & set(option.opts))]
    for part in getattr(command, "commands", {}).values():
        _extend(part, shared)
