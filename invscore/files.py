"""Writing that either happens as a whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path


def check_writable(folder: Path) -> None:
    """Raise ``ValueError`` where no file could be written to ``folder``, which may not exist yet.

    Tried with a file that vanishes at once: permissions alone do not tell (root, read-only disks).
    """
    place = folder.resolve()
    parent = next(path for path in (place, *place.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise ValueError(
            f"folder {str(folder)!r}: {str(parent)!r} cannot be written to: {error.strerror}"
        ) from error


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary sibling of ``path`` to write to; it becomes ``path`` when the block succeeds.

    The sibling keeps the suffix of ``path``, from which writers guess a format.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path, *, names: Collection[str]) -> Iterator[Path]:
    """A temporary folder to fill; its files move to ``folder`` when the block succeeds.

    ``names`` lists all that may be written: those of an earlier filling that are not written
    again are removed from ``folder``, other files stay. When the block fails, neither the temporary
    folder nor one made for it remains.
    """
    folder = Path(folder).resolve()
    made = [f for f in (folder, *folder.parents) if not f.exists()]
    # On the disk of ``folder``, which may be another than that of its parent: a mount point.
    near = folder if folder.exists() else folder.parent
    partial = near / f".{folder.name}.{os.getpid()}.partial"
    try:
        partial.mkdir(parents=True)
        yield partial
        folder.mkdir(exist_ok=True)
        for name in names:
            if (partial / name).exists():
                os.replace(partial / name, folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for parent in made:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
