"""HDF5: any file by the name of its array, and the conventions of three communities.

fastMRI's k-space, ISMRMRD's acquisitions and Data Exchange's tomography are known by what they
hold; any other file has arrays whose names say nothing.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from invscore.files import atomic_file
from invscore.readers.base import Array, Recording, Wanted, as_float, choose
from invscore.readers.numbers import warn_of_missing, white_of


def read(file: Path, wanted: Wanted) -> Recording:
    """The array ``key`` of an HDF5 file, read from disk where it is indexed."""
    import h5py

    from invscore.readers import data_exchange, fastmri, ismrmrd

    opened = h5py.File(file, "r")
    held = datasets(opened)
    for convention in (fastmri, ismrmrd, data_exchange):
        if (found := convention.read(file, opened, held, wanted)) is not None:
            if isinstance(found.values, h5py.Dataset):
                _tell_missing(file, found.values)
            return found
    key = choose(file, held, wanted)
    values = opened[key]
    _tell_missing(file, values)
    header = {"key": key, "attributes": dict(values.attrs)}
    return Recording(values, white=white_of(values.dtype), header=header)


def write(file: Path, values: Array, like: Recording) -> None:
    """``values`` under the name that the array had, with its attributes."""
    import h5py

    with atomic_file(file) as partial, h5py.File(partial, "w") as opened:
        for name, text in like.header.get("texts", {}).items():
            opened[name] = text
        dataset = opened.create_dataset(like.header["key"], data=as_float(values))
        for name, value in like.header["attributes"].items():
            dataset.attrs[name] = value


def _tell_missing(file: Path, values: Any) -> None:
    """Warn of what was declared and never written, which HDF5 reads as its fill value."""
    if values.is_virtual or values.external:
        return
    if values.chunks is None:
        stored, chunks = int(values.id.get_storage_size() > 0), 1
    else:
        each = zip(values.shape, values.chunks, strict=True)
        chunks = math.prod(-(-size // chunk) for size, chunk in each)
        stored = values.id.get_num_chunks()
    warn_of_missing(file, stored, chunks, values.fillvalue)


def datasets(group: Any) -> list[str]:
    """The names of all arrays of numbers in an HDF5 file, such as ``exchange/data``."""
    import h5py

    names: list[str] = []
    group.visititems(lambda name, it: names.append(name) if isinstance(it, h5py.Dataset) else None)
    return [n for n in names if group[n].size and group[n].dtype.kind in "buifcV"]
