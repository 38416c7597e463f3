"""Progress of what lasts, on stderr: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

from time import monotonic as now
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from invscore.cli.errors import is_quiet

PATIENCE = 2.0  # seconds that need no bar
FIRST_LOOK = 0.3  # seconds after which the total is estimated
FIRST_LINE = 10.0  # seconds after which a log hears of it first, then each time twice as late
LONGEST = 600.0  # seconds between two lines


class StepBar:
    """``on_step(done, total)`` shows how many ``of`` what are done, and how long it will last.

    ``done`` may be a part of the first. A bar appears once the whole is seen to take over two
    seconds, and goes when done. Where stderr is no terminal there is a line after ten seconds, then
    each time after twice as long, ten minutes at most. Nothing with ``--quiet``.
    """

    def __init__(self, label: str, console: Console | None = None, *, of: str = "steps") -> None:
        self._label, self._of = label, of
        self._console = console or Console(stderr=True)
        self._began = now()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._next, self._pause = FIRST_LINE, FIRST_LINE

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: float, total: int) -> None:
        if is_quiet():
            return
        elapsed = now() - self._began
        if not self._console.is_terminal:
            self._log(elapsed, done, total)
            return
        if self._bar is None and elapsed > FIRST_LOOK and elapsed * total / done > PATIENCE:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[shown]}/{task.total} " + self._of),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=total, shown="0")
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, shown=_number(done))

    def _log(self, elapsed: float, done: float, total: int) -> None:
        if elapsed < self._next or done >= total:
            return
        self._pause = min(2 * self._pause, LONGEST)
        self._next = elapsed + self._pause
        left = duration(elapsed / done * (total - done))
        self._console.print(
            f"invscore: {self._label}: {_number(done)} of {total} {self._of}, about {left} left",
            soft_wrap=True,
            highlight=False,
            markup=False,
        )


def _number(done: float) -> str:
    """``12`` or, where it is no whole number, ``0.3``."""
    return str(int(done)) if done == int(done) else f"{done:.1f}"


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.5 h`` or ``9 days``."""
    for unit, size, most in (("s", 1, 90), ("min", 60, 90), ("h", 3600, 48)):
        if seconds < most * size:
            number = seconds / size
            return f"{number:.0f} {unit}" if number >= 10 or unit == "s" else f"{number:.1f} {unit}"
    return f"{seconds / 86400:.0f} days"
