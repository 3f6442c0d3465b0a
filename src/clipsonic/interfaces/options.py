"""Options that several commands share."""

from typing import Annotated

import typer

Debug = Annotated[bool, typer.Option("--debug", help="Show where in the program an error arose.")]
