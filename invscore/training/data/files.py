"""Files that hold training arrays, by the readers that images have. Nothing is ever unpickled."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from invscore.readers import Values, known_suffixes, read

SUFFIXES = known_suffixes(pictures=False)


def open_array(file: Path, key: str | None = None) -> Values:
    """The array in ``file``, or the one named ``key`` in a file of several, its numbers unscaled.

    NPY, NIfTI, HDF5 and Zarr files are read as their parts are asked for. Raises ``ValueError`` for
    a file that is missing, damaged, of another kind or without such an array.
    """
    if not file.name.lower().endswith(SUFFIXES):
        raise ValueError(f"a file of arrays must end in {', '.join(SUFFIXES)}, got {str(file)!r}")
    values = read(file, key).values
    if values.dtype.kind not in "buifc":
        raise ValueError(f"{str(file)!r} must hold numbers, got {values.dtype}")
    return values


def array_files(path: Path) -> list[Path]:
    """``path`` itself, or the files of a folder that ``open_array`` opens, sorted by name."""
    if not path.is_dir() or path.name.lower().endswith(SUFFIXES):
        return [path]
    shown = (file for file in path.iterdir() if not file.name.startswith("."))
    files = sorted(file for file in shown if file.name.lower().endswith(SUFFIXES))
    if not files:
        raise ValueError(f"no arrays in {str(path)!r} (looked for {', '.join(SUFFIXES)})")
    return files


def digest(files: Iterable[Path]) -> str:
    """SHA-256 over the contents of ``files``, their order included."""
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            total.update(hashlib.file_digest(opened, "sha256").digest())
    return total.hexdigest()
