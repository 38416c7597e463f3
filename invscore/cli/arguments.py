"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

DEVICE_HELP = "cpu, cuda, cuda:1, mps; auto takes a GPU if there is one."
JSON_HELP = "Print JSON and nothing else."
DEBUG_HELP = "Show the traceback of an error."

Device = Annotated[str, typer.Option(metavar="NAME", help=DEVICE_HELP)]
Json = Annotated[bool, typer.Option("--json", metavar="", help=JSON_HELP)]
Debug = Annotated[bool, typer.Option("--debug", metavar="", help=DEBUG_HELP)]


def parse_shape(text: str) -> tuple[int, ...]:
    """``"1,256,256"`` as a tuple of positive integers. Raises ``ValueError`` for anything else."""
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise ValueError(f"shape is {text!r}: whole numbers such as 1,256,256 are allowed")
    return shape
