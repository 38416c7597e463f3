"""Several processes, on one machine or many, share the work in one folder: locks on its parts.

A lock is a file that only one process can create. Whoever holds it touches it every few seconds; a
lock that nobody has touched for long, or whose holder on this machine is gone, is taken over. Two
may then do the same work at once, in a race of milliseconds: no harm, its outcome is the same.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BEAT = 5.0
"""Seconds between two touches."""
PATIENCE = 60.0
"""Seconds without a touch after which the holder is given up."""


class Claims:
    """Locks as this process sees them: it remembers since when each has been as it is."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._seen: dict[Path, tuple[int, float]] = {}

    @contextmanager
    def claim(self, lock: Path) -> Iterator[bool]:
        """Whether the work is this process's until the block ends, and nobody else's."""
        if not (_created(lock) or (self._abandoned(lock) and _renewed(lock))):
            yield False
            return
        done = threading.Event()
        touching = threading.Thread(target=_touch, args=(lock, done), daemon=True)
        touching.start()
        try:
            yield True
        finally:
            done.set()
            touching.join()
            lock.unlink(missing_ok=True)

    def _abandoned(self, lock: Path) -> bool:
        """Clocks of two machines differ: what counts is how long we have seen no touch."""
        try:
            touched = lock.stat().st_mtime_ns
            host, _, process = lock.read_text(encoding="utf-8").partition(" ")
        except FileNotFoundError:
            return False
        if host == socket.gethostname() and process.isdigit() and not _alive(int(process)):
            return True
        known, since = self._seen.get(lock, (None, 0.0))
        if known != touched:
            self._seen[lock] = touched, time.monotonic()
            return False
        return time.monotonic() - since > self._patience


def _created(lock: Path) -> bool:
    try:
        with lock.open("x", encoding="utf-8") as file:
            file.write(f"{socket.gethostname()} {os.getpid()}")
    except FileExistsError:
        return False
    return True


def _renewed(lock: Path) -> bool:
    lock.unlink(missing_ok=True)
    return _created(lock)


def _touch(lock: Path, done: threading.Event) -> None:
    while not done.wait(BEAT):
        if lock.exists():
            os.utime(lock)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
