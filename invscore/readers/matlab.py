"""MATLAB's .mat files, of all versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from invscore.files import atomic_file
from invscore.readers.base import Array, Recording, Wanted, as_float, choose
from invscore.readers.hdf5 import datasets
from invscore.readers.memory_check import require_room
from invscore.readers.numbers import white_of

WIDEST = 16
"""Most bytes of a number: a complex one."""


def read(file: Path, wanted: Wanted) -> Recording:
    """The variable ``key``, its axes in MATLAB's order. Version 7.3 needs h5py."""
    from scipy.io import loadmat, whosmat
    from scipy.sparse import issparse

    with file.open("rb") as opened:
        start = opened.read(128)
    if b"MATLAB 7.3" in start or start.startswith(b"\x89HDF"):
        key, values = _read_hdf5(file, wanted)
    else:
        shapes = {n: size for n, size, kind in whosmat(str(file)) if kind not in ("char", "cell")}
        key = choose(file, list(shapes), wanted)
        require_room(file, shapes[key], WIDEST)
        values = loadmat(str(file), variable_names=[key])[key]
        values = values.toarray() if issparse(values) else values
    return Recording(values, white=white_of(values.dtype), header={"key": key})


def write(file: Path, values: Array, like: Recording) -> None:
    """``values`` as a variable of the name that was read: (h, w), or (h, w, c)."""
    from scipy.io import savemat

    image = np.moveaxis(as_float(values), 0, -1)
    image = image[..., 0] if image.shape[-1] == 1 else image
    with atomic_file(file) as partial:
        savemat(str(partial), {like.header["key"]: image}, appendmat=False)


def _read_hdf5(file: Path, wanted: Wanted) -> tuple[str, Any]:
    import h5py

    with h5py.File(file, "r") as opened:
        held = [name for name in datasets(opened) if not name.startswith("#")]
        key = choose(file, held, wanted)
        require_room(file, opened[key].shape, opened[key].dtype.itemsize)
        values = opened[key][()]
        logical = opened[key].attrs.get("MATLAB_class", b"") == b"logical"
    values = np.asarray(values).T  # MATLAB stores columns one after the other
    return key, values.astype(bool) if logical else values
