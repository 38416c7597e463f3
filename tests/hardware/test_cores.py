"""Cores that others leave free: the system's table as proc(5) has it, and what follows from it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from invscore.hardware.cores import Work

TICKS = os.sysconf("SC_CLK_TCK")


def _stat(path: Path, *seconds: int) -> Path:
    """A table whose cores have worked ``seconds`` each in the first column, much in the others'."""
    rows = [f"cpu{core} {TICKS * s} 900 0 90000 800 0 0 0 700 0" for core, s in enumerate(seconds)]
    path.write_text("cpu  1 2 3 4 5 6 7 8 9 10\n" + "\n".join(rows) + "\nintr 5 6\n")
    return path


def test_reads_the_systems_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2}, raising=False)
    work = Work.until_now(_stat(tmp_path / "stat", 3, 1000, 4))
    assert work is not None
    assert (work.cores, work.all) == (2, 7.0), (
        "its own cores alone; niced, idle and waiting are free"
    )


COLUMNS = {"user": 5.0, "nice": 0.0, "system": 5.0, "idle": 0.0, "iowait": 0.0, "irq": 5.0}
COLUMNS |= {"softirq": 5.0, "steal": 5.0, "guest": 0.0, "guest_nice": 0.0}
"""Those of proc(5) in their order: guests' time is in the user's already."""


@pytest.mark.parametrize("column", COLUMNS)
def test_counts_what_nobody_else_can_have(
    column: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    times = [5 * TICKS * (name == column) for name in COLUMNS]
    (tmp_path / "stat").write_text(f"cpu0 {' '.join(map(str, times))}\n")
    work = Work.until_now(tmp_path / "stat")
    assert work is not None
    assert work.all == COLUMNS[column]


@pytest.mark.parametrize("text", [None, "", "cpu0 one two\n", "cpu0 1\n"])
def test_other_systems_do_not_tell(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "stat").write_text(text)
    assert Work.until_now(tmp_path / "stat") is None


@pytest.mark.parametrize(
    ("all_", "own", "left"),
    [
        (2.0, 2.0, 4),  # nobody else
        (2.9, 2.0, 4),  # a little
        (3.1, 2.0, 3),  # half of a core
        (4.0, 2.0, 3),
        (8.0, 2.0, 1),
        (9.0, 1.0, 1),  # more than there is
        (1.9, 2.0, 4),  # ticks are rounded
    ],
)
def test_what_is_left(all_: float, own: float, left: int) -> None:
    began = Work(4, 100.0, 50.0, 7.0)
    assert Work(4, 100.0 + all_, 50.0 + own, 9.0).left(began) == left


def test_a_moment_says_nothing() -> None:
    assert Work(4, 104.0, 0.0, 1.3).left(Work(4, 100.0, 0.0, 1.0)) == 4
