"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

PROBLEM, METHOD, OUTPUT = "Problem", "Method", "Output"  # panels of a help page

DEVICE_HELP = "cpu, cuda, cuda:1, mps; auto takes a GPU if there is one."
JSON_HELP = "Print JSON and nothing else."
DEBUG_HELP = "Show the traceback of an error."

Device = Annotated[str, typer.Option(metavar="NAME", help=DEVICE_HELP)]
Json = Annotated[bool, typer.Option("--json", metavar="", help=JSON_HELP)]
Debug = Annotated[bool, typer.Option("--debug", metavar="", help=DEBUG_HELP)]

# Of the commands that reconstruct.

OperatorSpec = Annotated[
    str,
    typer.Option(
        metavar="OPERATOR",
        help="How the image was measured: deblur, 'superres(factor=4)', "
        "my_operators.py:MyOperator, ... ('invscore operators' lists them).",
        rich_help_panel=PROBLEM,
    ),
]
PriorName = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE",
        help="What images look like: a prior by name ('invscore priors' lists them) or a "
        ".safetensors file.",
        rich_help_panel=PROBLEM,
    ),
]
Noise = Annotated[
    float,
    typer.Option(
        metavar="STD",
        help="Standard deviation of the noise, in the units of the measurement; an image "
        "from a file of 8 or 16 bits lies in [0, 1].",
        rich_help_panel=PROBLEM,
    ),
]
Method = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How to sample: auto by default ('invscore methods' lists them).",
        rich_help_panel=METHOD,
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(metavar="N", help="Steps of the method.", rich_help_panel=METHOD),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="OPTION=VALUE",
        help="Another option of the method; may be repeated.",
        rich_help_panel=METHOD,
    ),
]
Seed = Annotated[
    int, typer.Option(metavar="K", help="Seed of all randomness.", rich_help_panel=METHOD)
]
Scale = Annotated[
    str,
    typer.Option(
        metavar="auto|NUMBER",
        help="Brightness of the image, by which the measurement is divided for the prior.",
        rich_help_panel=METHOD,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Samples drawn together: by default as many as have a million pixels; fewer need "
        "less memory.",
        rich_help_panel=METHOD,
    ),
]

# Of the commands that prepare the imaging benchmark on validation images.

BenchConfig = Annotated[
    Path,
    typer.Option(metavar="FILE", help="Tasks, methods and their budgets, as for bench imaging."),
]
ValidationImages = Annotated[
    Path,
    typer.Option(
        metavar="DIR",
        help="Folder of validation images: never those that methods are judged on.",
    ),
]
BenchMethods = Annotated[
    str | None,
    typer.Option(metavar="NAMES", help="Of the configuration, such as tv,diffpir; default all."),
]
BenchTasks = Annotated[
    str | None, typer.Option(metavar="NAMES", help="Of the configuration; default all.")
]
Crops = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Take N crops at random places and scales, the images taking turns; by default each "
        "image is shrunk and cropped once.",
    ),
]


def parse_shape(text: str) -> tuple[int, ...]:
    """``"1,256,256"`` as a tuple of positive integers. Raises ``ValueError`` for anything else."""
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise ValueError(f"`shape` must be whole numbers such as 1,256,256, got {text!r}")
    return shape


def parse_scale(text: str) -> float | Literal["auto"]:
    """``"auto"`` or a number. Raises ``ValueError`` for anything else."""
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"`scale` must be auto or a positive number, got {text!r}") from None


def check_seed(seed: int) -> None:
    """Raise ``ValueError`` for a negative ``seed``."""
    if seed < 0:
        raise ValueError(f"`seed` must be a whole number of at least 0, got {seed}")
