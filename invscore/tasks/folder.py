"""The images in a folder."""

from __future__ import annotations

from pathlib import Path

from invscore.images import ARRAY_SUFFIXES
from invscore.training.data.photos import SUFFIXES


def images_in(folder: Path) -> list[Path]:
    """Its image and array files, sorted. Raises ``ValueError`` where there are none."""
    if not folder.is_dir():
        raise ValueError(f"{str(folder)!r}: no such folder")
    allowed = {*SUFFIXES, *ARRAY_SUFFIXES}
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in allowed)
    if not files:
        raise ValueError(f"no images in {str(folder)!r} (looked for {', '.join(sorted(allowed))})")
    return files
