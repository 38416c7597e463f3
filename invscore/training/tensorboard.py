"""The log of a run as TensorBoard has it, where TensorBoard is installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any


class Board:
    """Scalars by step in the event files of ``folder``; nothing where there is no TensorBoard.

    ``step`` is where the run begins: what an interrupted run has written of later ones is hidden.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.folder = folder
        self.step = step
        self._writer: Any = None

    def write(self, row: Mapping[str, float]) -> None:
        """Add the columns of a row of the log, ``step`` among them."""
        if find_spec("tensorboard") is None:
            return
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(self.folder, purge_step=self.step + 1)
        for name, value in row.items():
            if name != "step":
                self._writer.add_scalar(name, value, row["step"])
        self._writer.flush()
