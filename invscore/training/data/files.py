"""Files that hold an array of numbers: NPY, NPZ, HDF5, NIfTI. Nothing is ever unpickled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol
from zipfile import is_zipfile

import numpy as np
import numpy.typing as npt


class Values(Protocol):
    """An array, or something on disk that is read where it is indexed."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...
    def __getitem__(self, index: Any) -> npt.NDArray[Any]: ...


def open_array(file: Path, key: str | None = None) -> Values:
    """The array in ``file``, or the one named ``key`` in an NPZ or HDF5 file of several.

    NPY and HDF5 files are read as their parts are asked for. Raises ``ValueError`` for a file that
    is missing, damaged, of another kind or without such an array.
    """
    kind = _suffix(file)
    if kind is None:
        raise ValueError(f"a file of arrays must end in {', '.join(_OPENERS)}, got {str(file)!r}")
    if not file.is_file():
        raise ValueError(f"{str(file)!r}: no such file")
    try:
        values = _OPENERS[kind](file, key)
    except _Unfit:
        raise
    except Exception as error:  # each library has errors of its own for a damaged file
        raise ValueError(f"{str(file)!r} cannot be read: {' '.join(str(error).split())}") from error
    if values.dtype.kind not in "buifc":
        raise ValueError(f"{str(file)!r} must hold numbers, got {values.dtype}")
    return values


def array_files(path: Path) -> list[Path]:
    """``path`` itself, or the files of a folder that ``open_array`` opens, sorted by name."""
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if _suffix(file))
    if not files:
        raise ValueError(f"no arrays in {str(path)!r} (looked for {', '.join(_OPENERS)})")
    return files


def digest(files: Iterable[Path]) -> str:
    """SHA-256 over the contents of ``files``, their order included."""
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            total.update(hashlib.file_digest(opened, "sha256").digest())
    return total.hexdigest()


def _npy(file: Path, key: str | None) -> Values:
    if key is not None:
        raise _Unfit(f"key is {key!r}: {str(file)!r} holds a single array, without a name")
    return np.lib.format.open_memmap(file, mode="r")


def _npz(file: Path, key: str | None) -> Values:
    if not is_zipfile(file):
        raise ValueError("it is no NPZ file, or not a whole one")
    with np.load(file, allow_pickle=False) as arrays:
        return np.asarray(arrays[_choose(file, arrays.files, key)])


def _hdf5(file: Path, key: str | None) -> Values:
    h5py = _optional("h5py", file)
    opened = h5py.File(file, "r")
    names: list[str] = []
    opened.visititems(lambda name, it: names.append(name) if isinstance(it, h5py.Dataset) else None)
    return opened[_choose(file, names, key)]


def _nifti(file: Path, key: str | None) -> Values:
    if key is not None:
        raise _Unfit(f"key is {key!r}: {str(file)!r} holds a single array, without a name")
    return np.asanyarray(_optional("nibabel", file).load(file).dataobj)


_OPENERS: Mapping[str, Callable[[Path, str | None], Values]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".nii": _nifti,
    ".nii.gz": _nifti,
}


class _Unfit(ValueError):
    """A file that cannot serve: its message is already a sentence."""


def _suffix(file: Path) -> str | None:
    return next((kind for kind in _OPENERS if file.name.lower().endswith(kind)), None)


def _choose(file: Path, names: list[str], key: str | None) -> str:
    if key in names or (key is None and len(names) == 1):
        return key or names[0]
    holds = ", ".join(sorted(names)) or "no arrays"
    raise _Unfit(f"key is {key!r}: {str(file)!r} holds {holds}")


def _optional(package: str, file: Path) -> ModuleType:
    try:
        return import_module(package)
    except ImportError:
        raise _Unfit(
            f"{str(file)!r} needs the package {package}: pip install 'invscore[train]'"
        ) from None
