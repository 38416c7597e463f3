"""NumPy's own files, .npy and .npz. Nothing is ever unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import IO
from zipfile import is_zipfile

import numpy as np

from invscore.files import atomic_file
from invscore.readers.base import Array, Recording, Unfit, Wanted, as_float, choose, single
from invscore.readers.memory_check import require_room
from invscore.readers.numbers import white_of


def read_npy(file: Path, wanted: Wanted) -> Recording:
    """The array in a .npy file, mapped into memory: only what is used is read."""
    single(file, wanted)
    with file.open("rb") as opened:
        if opened.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
            raise Unfit(f"{str(file)!r} cannot be read as NPY: it is no NumPy file")
    try:
        values = np.load(file, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        _refuse_objects(file, error)
        # An array of no dimension or without entries cannot be mapped.
        with file.open("rb") as opened:
            _require_room(file, opened)
        values = np.load(file, allow_pickle=False)
    return Recording(values, white=white_of(values.dtype))


def read_npz(file: Path, wanted: Wanted) -> Recording:
    """One of the arrays in a .npz file."""
    if not is_zipfile(file):
        raise Unfit(f"{str(file)!r} cannot be read as NPZ: it is no NumPy file, or not whole")
    with np.load(file, allow_pickle=False) as arrays:
        try:
            key = choose(file, arrays.files, wanted)
            held = arrays.zip
            member = held.getinfo(key if key in held.namelist() else f"{key}.npy")
            with held.open(member) as opened:
                _require_room(file, opened)
            require_room(file, (member.file_size,), 1)
            values = np.asarray(arrays[key])
        except Unfit:
            raise
        except ValueError as error:
            _refuse_objects(file, error)
            raise
    return Recording(values, white=white_of(values.dtype))


def write_npy(file: Path, values: Array, like: Recording) -> None:  # noqa: ARG001
    """``values`` as float32 or complex64."""
    with atomic_file(file) as partial:
        np.save(partial, as_float(values))


def _require_room(file: Path, opened: IO[bytes]) -> None:
    """Refuse what the header of an array declares, if it does not fit into memory."""
    version = np.lib.format.read_magic(opened)
    first = version == (1, 0)  # versions 2 and 3 differ in how they spell the names of fields
    header = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, _, kind = header(opened)
    require_room(file, shape, kind.itemsize)


def _refuse_objects(file: Path, error: ValueError) -> None:
    # Objects would have to be unpickled, which can run any code: NumPy refuses.
    if "Object arrays" in str(error) or "Python objects" in str(error):
        raise Unfit(
            f"{str(file)!r} must hold an array of numbers, got Python objects, which are "
            "never unpickled"
        ) from None
