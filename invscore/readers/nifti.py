"""NIfTI, the files of neuroimaging: volumes with their place in space."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from invscore.files import atomic_file
from invscore.readers.base import Array, Recording, Unfit, Wanted, as_float, single
from invscore.readers.geometry import Change, as_in_file, change

AXES = "hwztcuv"
"""Of a NIfTI array in its own order: two of a slice, slices, time, vectors and what is left."""


def read(file: Path, wanted: Wanted) -> Recording:
    """The volume in a NIfTI file, in its physical units: read from disk where it is indexed.

    Raises ``Unfit`` where it holds no images.
    """
    import nibabel

    single(file, wanted)
    image = nibabel.load(file)
    # Proxies scale what is read, and say of what type it is in the file.
    values = image.dataobj
    if len(values.shape) < 2:
        raise Unfit(f"{str(file)!r} must hold images, got numbers of shape {values.shape}")
    return Recording(values, AXES[: len(values.shape)], units="NIfTI", header=image)


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
