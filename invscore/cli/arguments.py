"""Options that several commands share."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from invscore.hardware.memory import PROCESS, in_words
from invscore.tasks.noises import Declared, parse_declared

if TYPE_CHECKING:
    from invscore.readers import Part

# Panels of a help page.
PROBLEM, METHOD, MACHINE, OUTPUT = "Problem", "Method", "Machine", "Output"

PRIOR_HELP = (
    "a prior by name ('invscore priors' lists them), a checkpoint of this or another code "
    "('invscore priors formats'), or FILE.py:NAME."
)
JSON_HELP = "Print JSON and nothing else."
DEBUG_HELP = "Show the traceback of an error."

Device = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="cpu, cuda, cuda:1, mps; auto takes a GPU if there is one.",
        rich_help_panel=MACHINE,
    ),
]
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
        help=f"What images look like: {PRIOR_HELP}",
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
NoiseOrAuto = Annotated[
    str | None,
    typer.Option(
        metavar="auto|STD|LAW|FILE",
        help="Standard deviation of the noise, in the units of the measurement; an image from a "
        "file of 8 or 16 bits lies in [0, 1]. A FILE has one for each number; "
        "'poisson(photons=200)' are counts, 200 of them at 1; FILE.py:NAME is a law of your own. "
        "auto estimates it, the default for a --measurement; an --image is measured with 0.01.",
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
        rich_help_panel=MACHINE,
    ),
]

Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory that this process may take, such as 2GB: the networks of large images are "
        "evaluated in tiles that fit. By default what is free.",
        rich_help_panel=MACHINE,
    ),
]

Probes = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        help="Samples by 6 evaluations from a start at which no first guess picks one of several "
        "explanations, to warn of those that the samples miss.",
        rich_help_panel=METHOD,
    ),
]

Precision = Annotated[
    str,
    typer.Option(
        metavar="fp32|bf16",
        help="Of the network alone: bf16 is about twice as fast on processors made for it, and "
        "changes samples by some percent of their spread.",
        rich_help_panel=MACHINE,
    ),
]

Key = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Which array of a file that holds several: NPZ, HDF5, MAT, FITS, Zarr.",
        rich_help_panel=PROBLEM,
    ),
]
IndexOf = Annotated[
    str | None,
    typer.Option(
        "--index",
        metavar="K|AXIS=K,...",
        help="Which image of a stack or volume: 3, or z=3,t=0.",
        rich_help_panel=PROBLEM,
    ),
]
Axes = Annotated[
    str | None,
    typer.Option(
        metavar="LETTERS",
        help="What the axes of the array are, such as zhwc: h rows, w columns, c channels or "
        "coils, others a stack. By default what the file says.",
        rich_help_panel=PROBLEM,
    ),
]
VolumeOf = Annotated[
    str | None,
    typer.Option(
        "--volume",
        metavar="AXIS",
        help="Restore the slices of a stack along this axis, z or t, as one volume that is "
        "consistent across them: a NIfTI volume comes back as one. Otherwise each slice by itself.",
        rich_help_panel=PROBLEM,
    ),
]
Planes = Annotated[
    str | None,
    typer.Option(
        metavar="hw,dw,dh",
        help="With --volume: the planes in which the prior sees it, all three by default; hw where "
        "slices are so far apart that cuts across them look like no image.",
        rich_help_panel=METHOD,
    ),
]
ReaderOf = Annotated[
    str | None,
    typer.Option(
        "--reader",
        metavar="FILE.py:NAME",
        help="A function of yours that reads the file: of its path, returns an array.",
        rich_help_panel=PROBLEM,
    ),
]

# Of the commands that share their work among processes.

Workers = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=1,
        help="Processes of this machine that share the work, one a GPU where there are several "
        "(pip install 'invscore[cluster]').",
        rich_help_panel=MACHINE,
    ),
]
ClusterOf = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="tcp://HOST:PORT|FILE",
        help="Give the work to the Dask workers of this scheduler, or of this scheduler file; "
        "they have to see the same folders.",
        rich_help_panel=MACHINE,
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


def parse_part(
    key: str | None,
    axes: str | None,
    index: str | None,
    reader: str | None,
    volume: str | None = None,
) -> Part:
    """The options that say which part of a file is meant. Raises ``ValueError`` where one can't."""
    from invscore.readers import parse_axes, parse_index

    if axes is not None:
        parse_axes(axes)
    place = None if index is None else parse_index(index)
    if volume is not None:
        volume = parse_axes(volume)
        if len(volume) != 1 or volume in "chw":
            raise ValueError(
                f"`volume` must be the letter of an axis of slices, such as z or t, got {volume!r}"
            )
    return {"key": key, "axes": axes, "index": place, "reader": reader, "volume": volume}


def parse_planes(text: str | None) -> tuple[str, ...] | None:
    """``"hw,dw"`` as planes of a volume. Raises ``ValueError`` for anything else."""
    if text is None:
        return None
    planes = tuple(part.strip() for part in text.split(","))
    if len(set(planes)) < len(planes) or not set(planes) <= {"hw", "dw", "dh"}:
        raise ValueError(f"`planes` must be some of hw, dw, dh, got {text!r}")
    return planes


def parse_shape(text: str) -> tuple[int, ...]:
    """``"1,256,256"`` as a tuple of positive integers. Raises ``ValueError`` for anything else."""
    try:
        shape = tuple(int(part) for part in text.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise ValueError(f"`shape` must be whole numbers such as 1,256,256, got {text!r}")
    if math.prod(shape) >= 2**63:
        raise ValueError(f"`shape` must be that of an image that fits into memory, got {text!r}")
    return shape


def parse_scale(text: str) -> float | Literal["auto"]:
    """``"auto"`` or a number. Raises ``ValueError`` for anything else."""
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"`scale` must be auto or a positive number, got {text!r}") from None


def parse_noise(text: str | None) -> Declared | Literal["auto"] | None:
    """``"auto"``, what a text says, or None if nothing is given. Raises ``ValueError`` otherwise.

    See ``invscore.tasks.noises``.
    """
    if text is None or text == "auto":
        return text  # type: ignore[return-value]
    return parse_declared(text)


def parse_memory(text: str | None) -> float | None:
    """``"2GB"``, ``"800MB"`` or a number of bytes. Raises ``ValueError`` for anything else."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*([0-9.]+)\s*([kMGT]?)i?B?\s*", text, re.IGNORECASE)
    try:
        number = float(found[1]) if found else 0.0
    except ValueError:
        number = 0.0
    if found is None or number <= 0:
        raise ValueError(f"`memory` must be a size such as 2GB or 800MB, got {text!r}")
    size = number * 1000 ** " KMGT".index(found[2].upper() or " ")
    if size <= PROCESS:
        raise ValueError(
            f"`memory` must be more than the {in_words(PROCESS)} that a process takes before it "
            f"does anything, got {text!r}"
        )
    return size


def check_seed(seed: int) -> None:
    """Raise ``ValueError`` for a negative ``seed``."""
    if seed < 0:
        raise ValueError(f"`seed` must be a whole number of at least 0, got {seed}")
