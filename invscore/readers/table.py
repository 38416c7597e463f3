"""The table of formats: which reader takes which file."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from invscore.readers.base import Array, Read, Recording, Unfit, Wanted, Write
from invscore.readers.plugin import find_reader, reader_for


@dataclass(frozen=True)
class Format:
    """A kind of file: its suffixes, and the functions that read and, maybe, write it.

    Functions are named ``module:function`` and imported when they are needed, as are the libraries
    that they rest on: ``package`` is one that comes with ``pip install 'invscore[files]'``.
    ``picture`` says that it holds what a camera or a screen makes, without units, ``folder`` that
    it may be a folder, ``named`` that it is read only where a file is named: of the files of a
    folder, texts are rarely images.

    >>> from pathlib import Path
    >>> from invscore.readers import find_format
    >>> find_format(Path("scan.nii.gz")).name
    'NIfTI'
    """

    name: str
    suffixes: tuple[str, ...]
    read: str
    write: str | None = None
    package: str | None = None
    picture: bool = False
    folder: bool = False
    named: bool = False

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
    Format(
        *("FITS", (".fits", ".fit", ".fts", ".uvfits", ".uvf", ".fits.gz", ".fits.fz")),
        *(f"{HERE}.fits:read", f"{HERE}.fits:write", "astropy"),
    ),
    Format(
        *("NIfTI", (".nii", ".nii.gz")),
        *(f"{HERE}.nifti:read", f"{HERE}.nifti:write", "nibabel"),
    ),
    Format(
        *("HDF5", (".h5", ".hdf5", ".hdf", ".mrd", ".nxs")),
        *(f"{HERE}.hdf5:read", f"{HERE}.hdf5:write", "h5py"),
    ),
    Format("BART", (".cfl", ".hdr"), f"{HERE}.bart:read", f"{HERE}.bart:write"),
    Format("MAT", (".mat",), f"{HERE}.matlab:read", f"{HERE}.matlab:write", "h5py"),
    Format(
        *("DICOM", (".dcm", ".dicom", ".ima")),
        *(f"{HERE}.dicom:read", f"{HERE}.dicom:write", "pydicom"),
    ),
    Format(
        *("MRC", (".mrc", ".mrcs", ".map", ".rec")),
        *(f"{HERE}.mrc:read", f"{HERE}.mrc:write", "mrcfile"),
    ),
    Format(
        *("Zarr", (".zarr", ".zarr.zip")),
        *(f"{HERE}.zarr_store:read", f"{HERE}.zarr_store:write", "zarr"),
        folder=True,
    ),
    Format(
        *("ITK", (".nrrd", ".nhdr", ".mha", ".mhd")),
        *(f"{HERE}.itk:read", f"{HERE}.itk:write", "SimpleITK"),
    ),
    Format("text", (".txt", ".csv", ".tsv"), f"{HERE}.text:read", f"{HERE}.text:write", named=True),
    Format(
        *("raw", (".dng", ".nef", ".cr2", ".cr3", ".arw", ".raf", ".orf", ".rw2", ".pef")),
        *(f"{HERE}.raw:read", None, "rawpy"),
    ),
)
"""A suffix of two parts goes before its last one."""

STUMBLED = (TypeError, AttributeError, LookupError, AssertionError)
"""Exceptions of libraries that did not notice that a file is damaged, whose messages help
nobody."""

WRITTEN = {
    ".zarr": ".zarr.zip",
    "": ".dcm",
    ".fits.fz": ".fits",
    ".nhdr": ".nrrd",
    ".mhd": ".mha",
}
"""Suffixes of results, where they differ from those of the files read."""


def find_format(file: Path) -> Format:
    """The format of ``file`` by its suffix; what has an unknown one may be a picture.

    >>> from pathlib import Path
    >>> from invscore.readers import find_format
    >>> find_format(Path("galaxy.fits")).suffixes
    ('.fits', '.fit', '.fts', '.uvfits', '.uvf', '.fits.gz', '.fits.fz')
    """
    name = file.name.lower()
    fits = [(len(s), f) for f in FORMATS for s in f.suffixes if name.endswith(s)]
    if fits:
        return max(fits, key=lambda fit: fit[0])[1]
    return _by_content(file) or PICTURE


def suffix_of(file: Path) -> str:
    """The suffix by which ``find_format`` knows the file, such as ``.nii.gz``.

    >>> from pathlib import Path
    >>> from invscore.readers import suffix_of
    >>> suffix_of(Path("scan.nii.gz"))
    '.nii.gz'
    """
    name = file.name.lower()
    known = (s for s in find_format(file).suffixes if name.endswith(s))
    return max(known, key=len, default=file.suffix)


def known_suffixes(*, pictures: bool = True) -> tuple[str, ...]:
    """Suffixes of the files in a folder that are read; without ``pictures`` those of arrays, TIFF
    among them.

    >>> from invscore.readers import known_suffixes
    >>> ".fits" in known_suffixes(), ".png" in known_suffixes(pictures=False)
    (True, False)
    """
    kept = (fmt for fmt in FORMATS if not fmt.named and (pictures or fmt is not PICTURE))
    return tuple(suffix for fmt in kept for suffix in fmt.suffixes)


def read(
    file: str | Path,
    key: str | None = None,
    names: tuple[str, ...] = (),
    reader: str | None = None,
) -> Recording:
    """The array in ``file``, by the reader for its suffix, or by another (``find_reader``).

    Of several arrays ``key`` names the one to read; without it, the first of ``names`` that is
    there, or the only one. Raises ``ValueError``, one sentence, for a file that is missing, empty,
    damaged, of another kind, or that needs a package which is not installed.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from invscore.readers import read
    >>> file = Path(tempfile.mkdtemp()) / "image.npy"
    >>> np.save(file, np.ones((8, 6), dtype=np.float32))
    >>> read(file).values.shape
    (8, 6)
    """
    file = Path(file)
    found = find_format(file)
    _check_present(file, found)
    own = reader_for(file) if reader is None else find_reader(reader)
    try:
        return (own or found.reader())(file, Wanted(key, names))
    except Unfit:
        raise
    except ImportError as error:
        raise Unfit(_missing(file, found, error)) from None
    except Exception as error:  # each library has errors of its own for a damaged file
        what = "an image" if found.picture else found.name
        raise ValueError(f"{str(file)!r} cannot be read as {what}: {_reason(error)}") from error


def _by_content(file: Path) -> Format | None:
    """DICOM files often have no suffix; they say what they are after 128 bytes."""
    if not file.is_file():
        return None
    try:
        with file.open("rb") as opened:
            is_dicom = opened.read(132)[128:] == b"DICM"
    except OSError:
        return None
    return next(f for f in FORMATS if f.name == "DICOM") if is_dicom else None


def write(stem: Path, values: Array, like: Recording, file: str | Path) -> Path | None:
    """``values``, (c, h, w) in image units, as ``stem`` with the suffix and the units of ``file``.

    ``like`` is what has been read from ``file`` and picked. Returns the path, its suffix that of
    ``file``, or None for a format in which no numbers are written.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from invscore.readers import Recording, write
    >>> like = Recording(np.zeros((8, 6), dtype=np.float32))
    >>> stem = Path(tempfile.mkdtemp()) / "result"
    >>> write(stem, np.ones((1, 8, 6), dtype=np.float32), like, "scan.npy").name
    'result.npy'
    """
    writer, suffix = find_format(Path(file)).writer(), suffix_of(Path(file))
    if writer is None:
        return None
    path = stem.with_name(stem.name + WRITTEN.get(suffix, suffix))
    writer(path, values * np.float32(like.white or 1.0), like)
    return path


def written_names(stem: str) -> list[str]:
    """All names that ``write`` may give a file beside ``stem``.

    >>> from invscore.readers import written_names
    >>> "result.fits" in written_names("result")
    True
    """
    written = (WRITTEN.get(s, s) for f in FORMATS if f.write for s in f.suffixes)
    return [stem + suffix for suffix in dict.fromkeys(written)]


def _check_present(file: Path, found: Format) -> None:
    if file.is_dir() and found.folder:
        return
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
    if isinstance(error, STUMBLED):
        return "it is damaged"
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(reason.split()).rstrip(".")


def _function(address: str) -> Any:
    module, name = address.split(":")
    return getattr(import_module(module), name)
