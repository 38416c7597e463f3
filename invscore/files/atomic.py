"""Files: those that can be read, and writing that happens as a whole or not at all.

What is written goes to a hidden sibling first, whose name tells the machine and the process. It is
renamed when it is whole, and removed when something goes wrong; what a killed process has left is
removed by the next that writes to the same folder.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from invscore.hardware.memory import in_words

PARTIAL = "partial"
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
OF_THE_DISK = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO),
    *(errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR),
)
"""Errors of the place that was chosen (full, read-only), not of what was to be written there."""

_unfinished: set[Path] = set()


def require_file(path: str | Path, *, largest: int | None = None) -> None:
    """Raise ``ValueError`` where ``path`` is no file that can be read to its end.

    Neither is a pipe, a socket or a device: they may never end. ``largest``: bytes that it may
    have.

        >>> require_file("nowhere.txt")
        Traceback (most recent call last):
        ValueError: 'nowhere.txt': no such file
    """
    name = repr(str(path))
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        link = os.path.islink(path)
        reason = f" (it is a link to {os.readlink(path)!r})" if link else ""
        raise ValueError(f"{name}: no such file{reason}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"{name} cannot be read: {reason}") from error
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "no file")
        raise ValueError(f"{name} is {kind}: a file is needed")
    if not os.access(path, os.R_OK):
        raise ValueError(f"{name} cannot be read: permission denied")
    if largest is not None and status.st_size > largest:
        raise ValueError(
            f"{name} has {in_words(status.st_size)}: at most {in_words(largest)} are expected"
        )


def check_writable(folder: Path) -> None:
    """Raise ``ValueError`` where no file could be written to ``folder``, which may not exist yet.

    Tried with a file that vanishes at once: permissions alone do not tell (root, read-only disks).
    What killed processes have left there is removed.

        >>> check_writable(folder / "new")
        >>> (folder / "new").exists()
        False
    """
    parent = _nearest(_resolved(folder))
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise ValueError(
            f"folder {str(folder)!r}: {str(parent)!r} cannot be written to: {error.strerror}"
        ) from error
    clear_leftovers(parent)
    clear_leftovers(parent.parent)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A hidden file to write to; it becomes ``path`` when the block succeeds.

    It keeps the suffix of ``path``, from which writers guess a format. Raises ``OSError``, which
    names ``path``, where the disk does not take it.

        >>> with atomic_file(folder / "notes.txt") as partial:
        ...     _ = partial.write_text("whole")
        >>> [file.name for file in folder.iterdir()]
        ['notes.txt']
    """
    target = _resolved(path)
    partial = _nearest(target.parent) / _hidden(target.stem, target.suffix)
    with _writing(partial, path):
        yield partial
        made = _made(target.parent)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(partial, target)
        except BaseException:
            _remove_empty(made)
            raise


@contextmanager
def atomic_folder(
    folder: Path, *, names: Collection[str], mark: str | None = None
) -> Iterator[Path]:
    """A hidden folder to fill; it becomes ``folder``, or its files move there, at the end.

    ``names`` lists all that may be written: those of an earlier filling that are not written
    again are removed from ``folder``, other files stay. ``mark`` is a file that tells that all
    others are there: it goes first and comes last. When the block fails, nothing remains. Raises
    ``OSError``, which names ``folder``, where the disk does not take it.

        >>> with atomic_folder(folder / "results", names=("mean.txt",)) as partial:
        ...     _ = (partial / "mean.txt").write_text("0.5")
        >>> [file.name for file in (folder / "results").iterdir()]
        ['mean.txt']
    """
    target = _resolved(folder)
    # On the disk of ``folder``, which may be another than that of its parent: a mount point.
    partial = _nearest(target) / _hidden(target.name)
    made = _made(target.parent)
    with _writing(partial, folder):
        partial.mkdir()
        yield partial
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                os.rename(partial, target)
                return
            if mark is not None:
                (target / mark).unlink(missing_ok=True)
            for name in sorted(names, key=lambda name: name == mark):
                if (partial / name).exists():
                    os.replace(partial / name, target / name)
                else:
                    (target / name).unlink(missing_ok=True)
        except BaseException:
            _remove_empty(made)
            raise


def clear_leftovers(folder: Path) -> None:
    """Remove what processes of this machine that are no more have left unfinished in ``folder``.

    >>> clear_leftovers(folder)
    >>> [file.name for file in folder.iterdir() if "partial" in file.name]
    []
    """
    ours = f"@{_host()}.{PARTIAL}"
    with suppress(OSError):
        for path in folder.iterdir():
            head, found, _ = path.name.partition(ours)
            process = head.rpartition(".")[2]
            if found and path.name.startswith(".") and process.isdigit() and _dead(int(process)):
                _remove(path)


def discard_unfinished() -> None:
    """Remove all that this process is still writing: it will not come to do so itself.

    >>> writing = atomic_file(folder / "half.txt")
    >>> partial = writing.__enter__()
    >>> _ = partial.write_text("half")
    >>> discard_unfinished()
    >>> partial.exists()
    False
    """
    for path in list(_unfinished):
        _remove(path)


@contextmanager
def _writing(partial: Path, wanted: Path) -> Iterator[None]:
    _unfinished.add(partial)
    try:
        yield
    except OSError as error:
        if error.errno not in OF_THE_DISK:
            raise
        raise OSError(error.errno, error.strerror, str(wanted)) from error
    finally:
        _remove(partial)
        _unfinished.discard(partial)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _resolved(path: Path) -> Path:
    """Target of ``path``: a link stays, and what it leads to is written."""
    return Path(os.path.realpath(path))


def _nearest(place: Path) -> Path:
    """``place`` or the nearest folder above it that exists."""
    return next(path for path in (place, *place.parents) if path.exists())


def _made(folder: Path) -> list[Path]:
    """``folder`` and those above it that will have been made for it."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _remove_empty(folders: Collection[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _hidden(name: str, suffix: str = "") -> str:
    return f".{name[:100]}.{os.getpid()}@{_host()}.{PARTIAL}{suffix}"


def _host() -> str:
    return socket.gethostname().partition(".")[0][:40]


def _dead(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
