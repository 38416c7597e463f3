"""Cores that other programs leave free, by the system's count of the time spent at work.

Threads of one operation wait for the slowest: where two share the two cores of a laptop with
another program, all wait for the core that is taken, and one thread alone is faster.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

STAT = Path("/proc/stat")
WORKING = (0, 2, 5, 6, 7)
"""Columns of a core's time in ``/proc/stat`` (proc(5)) that nobody else can have: user, system,
interrupts and what other guests of the machine took; not those that yield (nice)."""

SHORTEST = 0.5
"""Seconds that are looked at before anything is said: ticks are hundredths of a second."""


@dataclass(frozen=True)
class Work:
    """What the cores of this process have worked until now, for all and for it, in seconds.

    ``cores``: how many this process may use. ``now`` is the time of a clock that never goes back.
    """

    cores: int
    all: float
    own: float
    now: float

    @classmethod
    def until_now(cls, stat: Path = STAT) -> Work | None:
        """As the system counts; ``None`` on systems that do not tell (others than Linux)."""
        with suppress(OSError, ValueError, IndexError, AttributeError):
            mine = {f"cpu{number}" for number in os.sched_getaffinity(0)}
            rows = [line.split() for line in stat.read_text(encoding="ascii").splitlines()]
            rows = [times for name, *times in rows if name in mine]
            ticks = sum(int(times[column]) for times in rows for column in WORKING)
            seconds = ticks / os.sysconf("SC_CLK_TCK")
            return cls(len(rows), seconds, time.process_time(), time.monotonic()) if rows else None
        return None

    def left(self, since: Work) -> int:
        """Cores that others have left free ``since`` then, on average and rounded; 1 at least."""
        lasted = self.now - since.now
        if lasted < SHORTEST:
            return self.cores
        others = (self.all - since.all - (self.own - since.own)) / lasted
        return max(1, min(self.cores, int(self.cores - others + 0.5)))
