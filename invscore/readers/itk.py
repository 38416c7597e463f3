"""NRRD and MetaImage, the files of ITK and of the programs built on it: images in space."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from invscore.files import atomic_file
from invscore.readers.base import Array, Recording, Unfit, Wanted, as_float, single
from invscore.readers.geometry import Change, as_in_file, change
from invscore.readers.memory_check import require_room
from invscore.readers.numbers import warn_of_spacing

AXES = {2: "hw", 3: "zhw", 4: "tzhw"}
WIDEST = 16
"""Most bytes of a number: a complex one in double precision."""


def read(file: Path, wanted: Wanted) -> Recording:
    """The image or volume in a NRRD or MetaImage file, with its data in it or beside it.

    Raises ``Unfit`` where it is damaged, or its data are not there.
    """
    import SimpleITK

    single(file, wanted)
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(file))
    try:
        reader.ReadImageInformation()
        shape = (*reader.GetSize()[::-1], reader.GetNumberOfComponents())
        require_room(file, shape, WIDEST)
        with _silent():
            image = reader.Execute()
    except RuntimeError:  # whose message is a page of C++
        raise Unfit(
            f"{str(file)!r} cannot be read as {_name(file)}: it is damaged, or its data are missing"
        ) from None
    values = SimpleITK.GetArrayFromImage(image)
    letters = AXES.get(image.GetDimension(), "")
    if image.GetNumberOfComponentsPerPixel() > 1 and letters:
        letters += "c"
    warn_of_spacing(file, image.GetSpacing())
    placed = {
        "spacing": image.GetSpacing(),
        "origin": image.GetOrigin(),
        "direction": image.GetDirection(),
    }
    return Recording(values, letters, units=_name(file), header=placed)


def write(file: Path, values: Array, like: Recording) -> None:
    """``values``, (c, h, w), in the space of ``like``; several channels are components."""
    import SimpleITK

    data = as_in_file(as_float(values), like)
    letters = like.origin
    if data.ndim > len(letters):  # channels that the file did not have
        data, letters = np.moveaxis(data, 0, -1), f"{letters}c"
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(data), isVector=letters[-1] == "c")
    _place(image, values, like)
    with atomic_file(file) as partial, tempfile.TemporaryDirectory() as folder:
        # The suffix says which format is written, and a temporary name has another.
        whole = Path(folder) / f"result{file.suffix.lower()}"
        SimpleITK.WriteImage(image, str(whole), useCompression=True)
        shutil.copyfile(whole, partial)


def _place(image: Any, values: Array, like: Recording) -> None:
    """Set the spacing, the origin and the directions of a result."""
    placed = like.header
    number = len(placed["spacing"])
    changes = change(values.shape, like)
    spatial = [letter for letter in like.origin if letter != "c"][::-1]  # x first
    steps = [changes.get(letter, Change()) for letter in spatial]
    steps += [Change()] * (number - len(steps))
    spacing = np.array(placed["spacing"])
    directions = np.array(placed["direction"]).reshape(number, number)
    moved = directions @ (spacing * [step.first for step in steps])
    image.SetSpacing((spacing / [step.finer for step in steps]).tolist())
    image.SetOrigin((np.array(placed["origin"]) + moved).tolist())
    image.SetDirection(placed["direction"])


@contextmanager
def _silent() -> Iterator[None]:
    """Without what the library itself prints on the terminal of damaged files."""
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


def _name(file: Path) -> str:
    return "NRRD" if file.suffix.lower() in (".nrrd", ".nhdr") else "MetaImage"
