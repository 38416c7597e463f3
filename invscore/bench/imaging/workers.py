"""Running cells: in this process, in several, or on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from invscore.bench import running
from invscore.bench.imaging.cells import Cell, Outcome, remember, remembered
from invscore.bench.imaging.run import run
from invscore.engine import Alone, Engine, own_device


def run_cells(
    cells: Sequence[Cell],
    folder: Path,
    *,
    device: str = "cpu",
    engine: Engine | None = None,
    on_cell: running.OnCell = lambda done, total: None,
) -> list[Outcome]:
    """The outcome of every cell, in order; those that ``folder`` remembers are not run again.

    ``on_cell(done, total)`` is told of each cell that has been run. Raises ``WorkerError`` where
    the workers of the ``engine`` end too early.
    """
    work = partial(_run_and_remember, folder, device)
    return running.run_cells(cells, folder, work, remembered, engine or Alone(), on_cell)


def _run_and_remember(folder: Path, device: str, cell: Cell) -> None:
    remember(run(cell, own_device(device)), folder)
