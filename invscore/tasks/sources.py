"""Many measurements by one name: a folder, a pattern, or a file that holds a stack."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product, takewhile
from pathlib import Path

from invscore.images import is_sample
from invscore.readers import Index, Part, find_format, parse_axes, read
from invscore.readers.table import PICTURE
from invscore.tasks.folder import images_in, names_of, without_suffix

IMAGE = "chw"


@dataclass(frozen=True)
class Source:
    """One measurement: its ``file`` and, in a stack, the ``index`` of its entry.

    ``name``: what its results are called, which in one folder of results no other is. ``key``: what
    its seeds are made of, which no other measurement beside it changes. ``stamp``: size and time of
    the file, which tell whether it is the one that was read before.
    """

    name: str
    file: str
    key: str = ""
    index: Index | None = None
    stamp: tuple[int, int] = (0, 0)

    def part(self, part: Part) -> Part:
        """``part`` of a file, with the index of this one."""
        return part if self.index is None else {**part, "index": self.index}


def find_many(text: str, part: Part, keys: Sequence[str]) -> list[Source] | None:
    """The measurements that ``text`` names, sorted; ``None`` where it names one file.

    A folder (its files of a known format), a pattern such as ``scans/*.npy`` or ``scans/**/*.png``,
    or a file of a stack: one whose axes, by itself or by ``part["axes"]``, are more than channels,
    rows and columns, or that has four axes and does not tell. ``keys``: the names of arrays that
    are looked for. Raises ``ValueError`` where a folder or pattern holds none.
    """
    path = Path(text)
    if is_sample(text) or (path.exists() and not _plain_folder(path)):
        return None if is_sample(text) else _stack(path, part, keys)
    if path.is_dir():
        return _of_files(images_in(path), path)
    if glob.has_magic(text):
        files = sorted(Path(f) for f in glob.glob(text, recursive=True) if os.path.isfile(f))
        if not files:
            raise ValueError(f"no file fits the pattern {text!r}")
        return _of_files(files, _plain_part(text))
    return None


def _plain_folder(path: Path) -> bool:
    """Whether it is a folder of files, rather than a file that is a folder, as Zarr stores are."""
    return path.is_dir() and not find_format(path).folder


def _of_files(files: list[Path], root: Path) -> list[Source]:
    """The measurements in files, each by its path in ``root``."""
    names = names_of(files, root)
    return [
        Source(names[file], str(file), file.relative_to(root).as_posix(), (), _stamp(file))
        for file in files
    ]


def _plain_part(pattern: str) -> Path:
    """The folders at the beginning of a pattern: whatever fits it, names begin behind them."""
    parts = Path(pattern).parts[:-1]
    plain = takewhile(lambda part: not glob.has_magic(part), parts)
    return Path(*plain)


def _stack(path: Path, part: Part, keys: Sequence[str]) -> list[Source] | None:
    given = part.get("index") is not None or part.get("reader") is not None
    volume = part.get("volume") or ""
    if given or find_format(path) is PICTURE:
        return None
    try:
        recording = read(path, part.get("key"), tuple(keys))
        shape = tuple(recording.values.shape)
        letters = recording.axes if part.get("axes") is None else parse_axes(part["axes"] or "")
    except Exception:  # whoever restores it says what is wrong with it
        return None
    if volume not in letters:  # whoever restores it says which axes there are
        return None
    if letters and len(letters) == len(shape):
        image = IMAGE + volume
        along = {a: n for a, n in zip(letters, shape, strict=True) if a not in image and n > 1}
    else:
        along = {"": shape[0]} if len(shape) == 4 and shape[0] > 1 else {}
    if not along:
        return None
    stem, stamp = Path(without_suffix(path)).name, _stamp(path)
    digits = len(str(max(along.values()) - 1))
    sources = []
    for place in product(*map(range, along.values())):
        name = "-".join([stem, *(f"{number:0{digits}d}" for number in place)])
        key = "-".join([stem, *map(str, place)])  # however many there are
        index: Index = place if "" in along else dict(zip(along, place, strict=True))
        sources.append(Source(name, str(path), key, index, stamp))
    return sources


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns
