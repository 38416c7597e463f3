"""FITS, the files of astronomy: images and cubes with their world coordinates."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from invscore.files import atomic_file
from invscore.readers.base import Array, Recording, Unfit, Wanted, as_float, choose
from invscore.readers.geometry import Change, as_in_file, change
from invscore.readers.memory_check import require_room
from invscore.readers.numbers import warn_of_spacing

STACKS = "zt"
"""Letters of the third and fourth axis, NAXIS3 and NAXIS4."""

PHYSICAL = 8
"""Bytes of a number in physical units."""

OF_STORAGE = ("BSCALE", "BZERO", "BLANK", "DATAMIN", "DATAMAX", "CHECKSUM", "DATASUM")
"""Keywords on how numbers were stored, which are wrong for a result."""


def read(file: Path, wanted: Wanted) -> Recording:
    """The image in a FITS file, in its physical units, its first row the first of the file.

    ``key`` is the name or the number of a header-data unit; the only one with an image, or SCI, by
    default. NaN marks pixels without a value. Raises ``Unfit`` where there is no such image.
    """
    from astropy.io import fits

    with warnings.catch_warnings(record=True) as odd, fits.open(file, memmap=False) as units:
        if any(isinstance(unit, fits.GroupsHDU) for unit in _whole(units, file)):
            raise Unfit(
                f"{str(file)!r} must hold an image, got groups of visibilities (UVFITS): "
                "`interferometry` takes them as arrays, which docs/instruments.md makes of it"
            )
        images = {_name(units, k): k for k, unit in enumerate(units) if _is_image(unit)}
        if wanted.key is not None and wanted.key.isdecimal() and int(wanted.key) < len(units):
            place = int(wanted.key)
            if place not in images.values():
                raise Unfit(f"key must be the number of an image in {str(file)!r}, got {place}")
        else:
            names = (*wanted.names, "SCI")
            place = images[choose(file, list(images), Wanted(wanted.key, names))]
        require_room(file, units[place].shape, 2 * PHYSICAL)  # read, and copied
        values = np.array(units[place].data)
        header = units[place].header.copy()
    for message in dict.fromkeys(str(each.message) for each in odd):  # each once
        warnings.warn(f"{str(file)!r}: {message}", stacklevel=2)
    values = values.astype(values.dtype.newbyteorder("="))
    if not 2 <= values.ndim <= 4:
        raise Unfit(f"{str(file)!r} must hold an image of 2 to 4 axes, got {values.ndim}")
    axes = STACKS[: values.ndim - 2][::-1] + "hw"
    told = [header.get(f"CDELT{axis + 1}", 1.0) for axis in range(values.ndim)]
    warn_of_spacing(file, [abs(size) for size in told if isinstance(size, int | float)])
    return Recording(values, axes, units=str(header.get("BUNIT", "")) or "FITS", header=header)


def write(file: Path, values: Array, like: Recording) -> None:
    """``values``, (c, h, w), with the header of ``like``, its coordinates those of the result."""
    from astropy.io import fits

    header = like.header.copy()
    for keyword in OF_STORAGE:
        header.remove(keyword, ignore_missing=True)
    for letter, step in change(values.shape, like).items():
        _follow(header, len(like.origin) - like.origin.index(letter), step)
    with atomic_file(file) as partial:
        fits.PrimaryHDU(as_in_file(as_float(values), like), header).writeto(partial)


def _follow(header: Any, axis: int, step: Change) -> None:
    """World coordinates along an axis, counted from 1, of the new pixels."""
    if f"CRPIX{axis}" in header:  # the centre of the first pixel is 1
        header[f"CRPIX{axis}"] = (header[f"CRPIX{axis}"] - 1 - step.first) * step.finer + 1
    names = [f"CDELT{axis}"] if f"CDELT{axis}" in header else []
    for name in names or [n for n in header if n.startswith("CD") and n.endswith(f"_{axis}")]:
        header[name] /= step.finer


def _whole(units: Any, file: Path) -> Iterator[Any]:
    """The units of a file. Raises ``Unfit`` for one of a negative size, behind which it begins
    again."""
    for unit in units:
        if min(unit.fileinfo()["datSpan"], *unit.header["NAXIS*"].values(), 0) < 0:
            raise Unfit(f"{str(file)!r} must have sizes from 0 in its headers, got a negative one")
        yield unit


def _is_image(unit: Any) -> bool:
    return bool(unit.is_image) and len(unit.shape) >= 2 and 0 not in unit.shape


def _name(units: Any, place: int) -> str:
    name = units[place].name
    return name if name and name != "PRIMARY" else str(place)
