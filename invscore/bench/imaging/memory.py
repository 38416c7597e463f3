"""Peak memory of a piece of work."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Self

import torch

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """``with PeakMemory(device) as peak: ...``; then ``peak.megabytes``, or None if unknown.

    On a GPU what tensors occupy, otherwise what the whole process does (Linux alone tells).
    """

    megabytes: float | None = None
    _reset = False

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)

    def __enter__(self) -> Self:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        with suppress(OSError):  # another system, or a container that forbids it
            RESET.write_text("5", encoding="ascii")  # forget the highest mark so far
            self._reset = True
        return self

    def __exit__(self, *error: object) -> None:
        if self._device.type == "cuda":
            self.megabytes = torch.cuda.max_memory_allocated(self._device) / 2**20
        elif self._reset:
            lines = STATUS.read_text(encoding="ascii").splitlines()
            mark = next(line for line in lines if line.startswith("VmHWM:"))
            self.megabytes = int(mark.split()[1]) / 2**10
