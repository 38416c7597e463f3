"""Running cells: in this process, in several of this machine, and beside those of others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from invscore import memory
from invscore.bench.imaging.cells import Cell, Outcome, remember, remembered
from invscore.bench.imaging.claims import Claims
from invscore.bench.imaging.run import run

POLL = 0.5
"""Seconds between two looks at what others have done."""

OnCell = Callable[[int, int], None]


class WorkerError(RuntimeError):
    """A process has ended before its work was done."""


def run_cells(
    cells: Sequence[Cell],
    folder: Path,
    *,
    device: str = "cpu",
    workers: int = 1,
    on_cell: OnCell = lambda done, total: None,
) -> list[Outcome]:
    """The outcome of every cell, in order; those that ``folder`` remembers are not run again.

    Processes that work in the same ``folder``, wherever they run, share the cells; each returns
    when all are done. ``workers``: processes that are started here. ``on_cell(done, total)`` is
    told of cells that were not remembered. Raises ``WorkerError`` where a worker ends too early.
    """
    folder.mkdir(parents=True, exist_ok=True)
    todo = [cell for cell in cells if remembered(cell, folder) is None]
    if workers == 1 or len(todo) <= 1:
        rank = int(os.environ.get("LOCAL_RANK", "0"))  # as accelerate and torchrun tell it
        work(todo, folder, own_device(device, rank), on_cell=on_cell)
    else:
        count = min(workers, len(todo))
        memory.require(count * memory.PROCESS, f"{count} workers", "fewer workers")
        _in_processes(todo, folder, device, count, on_cell)
    for cell in cells:
        _lock(cell, folder).unlink(missing_ok=True)  # of who was killed between work and unlocking
    outcomes = [remembered(cell, folder) for cell in cells]
    return [outcome for outcome in outcomes if outcome is not None]


def work(
    cells: Sequence[Cell],
    folder: Path,
    device: str,
    *,
    on_cell: OnCell = lambda done, total: None,
    wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Run the cells that nobody else runs, until all are done or the work is no longer wanted."""
    claims, left, done = Claims(), list(cells), 0
    while left:
        waiting = []
        for cell in left:
            if not wanted():
                return
            if _finished(cell, folder, device, claims):
                done += 1
                on_cell(done, len(cells))
            else:
                waiting.append(cell)
        if len(waiting) == len(left):
            time.sleep(POLL)
        left = waiting


def own_device(device: str, rank: int) -> str:
    """``device``, or the GPU of the process ``rank`` where ``"cuda"`` is several."""
    count = torch.cuda.device_count() if device == "cuda" else 0
    return f"cuda:{rank % count}" if count > 1 else device


def _finished(cell: Cell, folder: Path, device: str, claims: Claims) -> bool:
    """Whether the cell is done, by us now or by somebody earlier; else somebody is at it."""
    if remembered(cell, folder) is not None:
        return True
    with claims.claim(_lock(cell, folder)) as ours:
        if not ours:
            return False
        if remembered(cell, folder) is None:  # not done between our look and our claim
            remember(run(cell, device), folder)
        return True


def _lock(cell: Cell, folder: Path) -> Path:
    return (folder / cell.file).with_suffix(".lock")


def _in_processes(
    cells: Sequence[Cell], folder: Path, device: str, workers: int, on_cell: OnCell
) -> None:
    # A forked process may inherit a lock of one of torch's threads; a spawned one has none.
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // workers)
    team = [
        context.Process(
            target=_member, args=(cells, folder, own_device(device, k), threads), daemon=True
        )
        for k in range(workers)
    ]
    for member in team:
        member.start()
    before = 0
    try:
        while any(member.is_alive() for member in team):
            done = sum((folder / cell.file).exists() for cell in cells)
            if done > before:
                on_cell(done, len(cells))
            before = done
            time.sleep(POLL)
    finally:
        for member in team:
            member.terminate()
            member.join()
    left = sum(remembered(cell, folder) is None for cell in cells)
    if left:
        status = next((m.exitcode for m in team if m.exitcode), 0)
        raise WorkerError(
            f"{left} of {len(cells)} cells are not done, a worker has ended with status {status}: "
            "the same command goes on with them"
        )


def _member(cells: Sequence[Cell], folder: Path, device: str, threads: int) -> None:
    """What a worker does, for as long as the process that started it lives."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # our parent hears it, and ends us
    torch.set_num_threads(threads)
    # PyTorch warns of its own code where a Jacobian is taken: a user can do nothing about it.
    warnings.filterwarnings("ignore", r"`torch\.jit", FutureWarning)
    parent = multiprocessing.parent_process()
    work(cells, folder, device, wanted=lambda: parent is None or parent.is_alive())
