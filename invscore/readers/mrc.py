"""MRC, the files of electron microscopy."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from invscore.files import atomic_file
from invscore.readers.base import Array, Recording, Unfit, Wanted, as_float, single
from invscore.readers.geometry import change
from invscore.readers.memory_check import require_room
from invscore.readers.numbers import warn_of_spacing

WIDEST = 8
"""Most bytes of a number: a complex one."""

AXES = {2: "hw", 3: "zhw", 4: "tzhw"}


def read(file: Path, wanted: Wanted) -> Recording:
    """The image, stack or volume in an MRC file, as its numbers are."""
    import mrcfile

    single(file, wanted)
    with mrcfile.open(file, mode="r", header_only=True) as opened:
        shape = [int(opened.header[name]) for name in ("nz", "ny", "nx")]
        if min(shape) < 1:
            raise Unfit(f"{str(file)!r} must have positive sizes, got {shape}")
        require_room(file, shape, 2 * WIDEST)  # read, and copied
    with mrcfile.open(file, mode="r") as opened:
        values = np.array(opened.data)
        header = {"voxel": opened.voxel_size.tolist()}
    if any(header["voxel"]):  # zeros where nobody has told it
        warn_of_spacing(file, header["voxel"])
    return Recording(values, AXES.get(values.ndim, ""), units="MRC", header=header)


def write(file: Path, values: Array, like: Recording) -> None:
    """``values``, (c, h, w), with the pixel size of ``like``, in angstrom."""
    import mrcfile

    image = as_float(values)
    image = image[0] if len(image) == 1 else image
    changes = change(image.shape, like)
    x, y, z = like.header["voxel"]
    with atomic_file(file) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of the suffix of a temporary name
        with mrcfile.new(partial, data=image) as made:
            made.voxel_size = (x / changes["w"].finer, y / changes["h"].finer, z)
