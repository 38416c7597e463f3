"""Running the cells of a benchmark: those that a folder does not remember, by any engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from invscore.engine import Engine
from invscore.files import clear_leftovers

Cell = TypeVar("Cell")
Outcome = TypeVar("Outcome")

OnCell = Callable[[int, int], None]


def run_cells(
    cells: Sequence[Cell],
    folder: Path,
    work: Callable[[Cell], None],
    remembered: Callable[[Cell, Path], Outcome | None],
    engine: Engine,
    on_cell: OnCell,
) -> list[Outcome]:
    """The outcome of every cell, in order, as ``remembered`` finds it in ``folder``.

    ``work`` runs a cell and writes its outcome there, as a whole or not at all; cells that have one
    are not run again. ``on_cell(done, total)`` is told of each that has been run. What killed
    processes have left unfinished in ``folder`` is cleared.
    """
    folder.mkdir(parents=True, exist_ok=True)
    todo = [cell for cell in cells if remembered(cell, folder) is None]
    for done, _ in enumerate(engine.run(work, todo), start=1):
        on_cell(done, len(todo))
    clear_leftovers(folder)
    outcomes = [remembered(cell, folder) for cell in cells]
    return [outcome for outcome in outcomes if outcome is not None]
