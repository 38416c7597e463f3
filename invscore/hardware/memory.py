"""Free memory, and refusals of what does not fit, before anything is allocated."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

MEMINFO, SIZES = Path("/proc/meminfo"), Path("/proc/self/statm")
GROUPS = (  # of control groups, version 2 and 1: the limit of a container, and what it uses
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)
FLOAT = 4
"""Bytes of a single-precision number."""

PROCESS = 650_000_000
"""Bytes of a process that has imported all libraries."""

PETTY = 2**20
"""Bytes below which free memory is not asked for: asking takes a millisecond."""

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Parameters of ``mallopt``, from malloc.h of glibc."""

KEPT = 2**20
"""Largest block in bytes that glibc keeps for reuse when it is freed."""

UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def available() -> int:
    """Bytes that this process could still have, of the machine's, its container's and its own."""
    return min([_of_machine(), *_of_groups(), *_of_process()])


def require(bytes_needed: float, what: str, advice: str = "") -> None:
    """Raise ``ValueError`` where ``what`` needs more than there is: a sentence with both numbers.

    ``advice``: what could be smaller, such as ``"fewer --samples"``.
    """
    free = available() if bytes_needed > PETTY else bytes_needed
    if bytes_needed > free:
        raise ValueError(
            f"{what} would need {in_words(bytes_needed)} of memory, {in_words(free)} are free"
            f"{f': {advice} would fit' if advice else ''}"
        )


def give_back_at_once() -> bool:
    """Have freed tensors of a megabyte or more returned to the system: whether that can be asked.

    The C library of Linux keeps what is smaller than 32 megabytes for the next, in pieces that fit
    less and less: half as much again as is in use, where a network works tile by tile.
    """
    return _thresholds(KEPT, KEPT)


def keep_freed() -> bool:
    """Have freed tensors of up to 32 megabytes kept for the next: whether that can be asked.

    As the C library of Linux comes to do by itself, but in workers of Dask, which have it give all
    back at once: two of them then spend half as much time again, in the system, as one process.
    """
    return _thresholds(2**25, 2**26)


def _thresholds(mapped: int, trimmed: int) -> bool:
    with suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        return bool(
            library.mallopt(MMAP_THRESHOLD, mapped) and library.mallopt(TRIM_THRESHOLD, trimmed)
        )
    return False


def in_words(count: float) -> str:
    """A number of bytes with two or three digits, such as ``1.3 GB``."""
    for unit in UNITS:
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{1000 * count:.1g} {UNITS[-1]}"


def _of_machine() -> int:
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        return 1024 * int(line.split()[1])
    except (OSError, StopIteration):
        try:
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (AttributeError, OSError, ValueError):
            return 2**63  # a system that does not tell


def _of_groups() -> list[int]:
    found = []
    for limit, used in GROUPS:
        try:
            most = int(limit.read_text(encoding="ascii"))
            found.append(max(0, most - int(used.read_text(encoding="ascii"))))
        except (OSError, ValueError):  # no such group, or one without a limit ("max")
            continue
    return found


def _of_process() -> list[int]:
    """Bytes left under a limit of addresses, which batch systems set (``ulimit -v``)."""
    with suppress(ImportError, OSError):
        import resource  # not on Windows

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        if most != resource.RLIM_INFINITY:
            pages = int(SIZES.read_text(encoding="ascii").split()[0])
            return [max(0, most - pages * resource.getpagesize())]
    return []
