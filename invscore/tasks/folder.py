"""The images in a folder."""

from __future__ import annotations

from pathlib import Path

from invscore.readers import known_suffixes


def images_in(folder: Path) -> list[Path]:
    """Its files of a known format, sorted, without hidden ones, as systems put beside pictures.

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
