"""The images in a folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from invscore.readers import known_suffixes, suffix_of


def images_in(folder: Path) -> list[Path]:
    """The files of a known format in a folder, sorted, without hidden ones.

    Raises ``ValueError`` where there are none.
    """
    if not folder.is_dir():
        raise ValueError(f"{str(folder)!r}: no such folder")
    allowed = known_suffixes()
    files = sorted(
        file
        for file in folder.iterdir()
        if file.name.lower().endswith(allowed) and not file.name.startswith(".")
    )
    if not files:
        raise ValueError(f"no images in {str(folder)!r} (looked for {', '.join(allowed)})")
    return files


def names_of(files: Sequence[Path], root: Path) -> dict[Path, str]:
    """Paths of ``files`` in ``root``, without the suffix where no other is the same then."""
    short = {file: without_suffix(file.relative_to(root)) for file in files}
    counted = Counter(short.values())
    return {f: s if counted[s] == 1 else str(f.relative_to(root)) for f, s in short.items()}


def without_suffix(path: Path) -> str:
    """A path without what tells its format, which may be several suffixes."""
    return str(path)[: len(str(path)) - len(suffix_of(path))]
