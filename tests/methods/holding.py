"""Memory that a computation holds at once, and what asked for it."""

from __future__ import annotations

import traceback

from invscore.hardware import tensor_memory


class Holding(tensor_memory.TensorMemory):
    """``where``: the lines that asked for what made it the most."""

    def __init__(self) -> None:
        super().__init__()
        self.where: list[str] = []

    def _grown(self) -> None:
        self.where = traceback.format_stack(limit=12)
