"""The table of formats: which reader takes which file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from invscore.readers.base import Read, Recording, Unfit, Wanted, Write


@dataclass(frozen=True)
class Format:
    """A kind of file: its suffixes, and the functions that read and, maybe, write it.

    Functions are named ``module:function`` and imported when they are needed, as are the libraries
    that they rest on: ``package`` is one that comes with ``pip install 'invscore[files]'``.
    ``picture`` says that it holds what a camera or a screen makes, without units.
    """

    name: str
    suffixes: tuple[str, ...]
    read: str
    write: str | None = None
    package: str | None = None
    picture: bool = False

    def reader(self) -> Read:
        return _function(self.read)

    def writer(self) -> Write | None:
        return None if self.write is None else _function(self.write)


HERE = "invscore.readers"
PICTURE = Format(
    "picture",
    (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".jp2", ".ppm", ".pgm", ".pnm"),
    f"{HERE}.picture:read",
    picture=True,
)
FORMATS: tuple[Format, ...] = (
    PICTURE,
    Format("TIFF", (".tif", ".tiff"), f"{HERE}.tiff:read", f"{HERE}.tiff:write", picture=True),
    Format("NPY", (".npy",), f"{HERE}.npy:read_npy", f"{HERE}.npy:write_npy"),
    Format("NPZ", (".npz",), f"{HERE}.npy:read_npz"),
)
"""In the order in which they are tried; a suffix of two parts comes before its last one."""


def find_format(file: Path) -> Format:
    """The format of ``file`` by its suffix; what has an unknown one may be a picture."""
    name = file.name.lower()
    fits = [(len(s), f) for f in FORMATS for s in f.suffixes if name.endswith(s)]
    return max(fits, key=lambda fit: fit[0])[1] if fits else PICTURE


def suffix_of(file: Path) -> str:
    """The suffix by which ``find_format`` knows the file, such as ``.nii.gz``."""
    name = file.name.lower()
    known = (s for s in find_format(file).suffixes if name.endswith(s))
    return max(known, key=len, default=file.suffix)


def known_suffixes() -> tuple[str, ...]:
    """All suffixes of the table."""
    return tuple(suffix for fmt in FORMATS for suffix in fmt.suffixes)


def read(file: str | Path, key: str | None = None, names: tuple[str, ...] = ()) -> Recording:
    """The array in ``file``, by the reader for its suffix.

    Of several arrays ``key`` names the one to read; without it, the first of ``names`` that is
    there, or the only one. Raises ``ValueError``, one sentence, for a file that is missing, empty,
    damaged, of another kind, or that needs a package which is not installed.
    """
    file = Path(file)
    found = find_format(file)
    _check_present(file)
    try:
        return found.reader()(file, Wanted(key, names))
    except Unfit:
        raise
    except ImportError as error:
        raise Unfit(_missing(file, found, error)) from None
    except Exception as error:  # each library has errors of its own for a damaged file
        what = "an image" if found.picture else found.name
        raise ValueError(f"{str(file)!r} cannot be read as {what}: {_reason(error)}") from error


def _check_present(file: Path) -> None:
    if file.is_dir():
        raise ValueError(f"{str(file)!r} must be a file, got a folder")
    if not file.exists():
        raise ValueError(f"{str(file)!r}: no such file")
    if not file.is_file():
        raise ValueError(f"{str(file)!r} must be a file, got a pipe or a device")
    if file.stat().st_size == 0:
        raise ValueError(f"{str(file)!r} is empty")


def _missing(file: Path, found: Format, error: ImportError) -> str:
    package = found.package or error.name
    return f"{str(file)!r} needs the package {package}: pip install 'invscore[files]'"


def _reason(error: BaseException) -> str:
    """Why, in a few words, without the path that libraries and the operating system repeat."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(reason.split()).rstrip(".")


def _function(address: str) -> Any:
    module, name = address.split(":")
    return getattr(import_module(module), name)
