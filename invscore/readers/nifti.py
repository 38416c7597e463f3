"""NIfTI, the files of neuroimaging: volumes with their place in space."""

from __future__ import annotations

import gzip
import math
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from invscore.files import atomic_file
from invscore.hardware import memory
from invscore.readers.base import Array, Recording, Unfit, Wanted, as_float, single
from invscore.readers.geometry import Change, as_in_file, change
from invscore.readers.numbers import warn_of_spacing

AXES = "hwztcuv"
"""Letters of the axes of a NIfTI array in order: rows and columns of a slice, slices, time, vectors
and the rest."""

PIECE = 2**20
"""Bytes that are unpacked together."""


def read(file: Path, wanted: Wanted) -> Recording:
    """The volume in a NIfTI file, in its physical units: read from disk where it is indexed.

    Raises ``Unfit`` where it holds no images.
    """
    import nibabel
    from nibabel.openers import ImageOpener

    single(file, wanted)
    image = nibabel.load(file)
    # Proxies scale what is read, and say of what type it is in the file.
    values = image.dataobj
    if len(values.shape) < 2:
        raise Unfit(f"{str(file)!r} must hold images, got numbers of shape {values.shape}")
    _require_whole(file, values)
    with ImageOpener(file) as opened:  # nibabel has made sizes positive
        stored = type(image.header).from_fileobj(opened, check=False)["pixdim"]
    warn_of_spacing(file, stored[1 : 1 + min(3, len(values.shape))].tolist())
    return Recording(values, AXES[: len(values.shape)], units="NIfTI", header=image)


def _require_whole(file: Path, values: Any) -> None:
    """Raise ``Unfit`` for a file that ends before its last voxel: slices before it look whole."""
    if min(values.shape) < 1 or not hasattr(values, "offset"):
        return
    needed = values.offset + values.dtype.itemsize * math.prod(values.shape)
    if needed > memory.available():  # which whoever takes of it has a sentence for
        return
    held = file.stat().st_size
    if file.suffix == ".gz":
        held = _unpacked(file, file.stat().st_mtime_ns, needed)
    if held < needed:
        raise Unfit(f"{str(file)!r} cannot be read as NIfTI: it has {held} of {needed} bytes")


@lru_cache(maxsize=8)
def _unpacked(file: Path, _: int, needed: int) -> int:
    """Up to ``needed``, the bytes that a compressed file holds: read once as long as it is new."""
    held = 0
    try:
        with gzip.open(file) as opened:
            while held < needed and (part := opened.read(min(PIECE, needed - held))):
                held += len(part)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        pass
    return held


def write(file: Path, values: Array, like: Recording) -> None:
    """``values``, (c, h, w), as one slice in the space of ``like``; new channels are vectors."""

    affine = like.header.affine.copy()
    changes = change(values.shape, like)
    steps = [changes.get(letter, Change()) for letter in like.origin[:3]]
    steps += [Change()] * (3 - len(steps))
    affine[:3, 3] += affine[:3, :3] @ [step.first for step in steps]
    affine[:3, :3] /= [step.finer for step in steps]
    data = as_in_file(as_float(values), like)
    if data.ndim > len(like.origin):
        data = np.moveaxis(data, 0, -1)
        data = data.reshape(*data.shape[:-1], *(1,) * (5 - data.ndim), data.shape[-1])
    header = like.header.header.copy()
    header.set_data_dtype(data.dtype)
    header.set_slope_inter(1, 0)
    header["cal_min"] = header["cal_max"] = 0
    content = type(like.header)(data, affine, header).to_bytes()
    with atomic_file(file) as partial:  # whose name nibabel does not know for a NIfTI file's
        partial.write_bytes(gzip.compress(content) if file.suffix == ".gz" else content)
