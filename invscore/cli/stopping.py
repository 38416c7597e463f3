"""The end that others call for: Ctrl-C, ``kill``, a terminal that closes. Nothing half-done stays.

The first such signal is raised as an exception, so that whatever is at work can put things in
order; a second one, or one that was swallowed, ends the process where it stands.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "the terminal has closed"}


class Stopped(KeyboardInterrupt):
    """A signal has come; ``status`` is the exit status that tells which, 128 and its number."""

    def __init__(self, number: int) -> None:
        super().__init__(WORDS[signal.Signals(number).name])
        self.status = 128 + number


_came: list[Stopped] = []


def install() -> None:
    """Hear signals from here on. Those that our parent has told us to ignore are ignored still."""
    for name in WORDS:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, _hear)
    sys.unraisablehook = _unraisable


def uninstall() -> None:
    """Leave signals to the system again: there is nothing to put in order any more."""
    for name in WORDS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is _hear:
            signal.signal(number, signal.SIG_DFL)


def stopped() -> Stopped | None:
    """The signal that has come, if one has: whatever else is raised follows from it."""
    return _came[0] if _came else None


def _hear(number: int, _frame: FrameType | None) -> None:
    if _came:
        _leave()
    _came.append(Stopped(number))
    raise _came[0]


def _leave() -> None:
    from invscore.files import discard_unfinished

    discard_unfinished()
    os.write(2, f"invscore: {_came[0]}\n".encode())
    os._exit(_came[0].status)


def _unraisable(what: Any) -> None:
    """A signal in a place that cannot raise, such as a destructor, ends the process there."""
    if isinstance(what.exc_value, Stopped):
        _leave()
    sys.__unraisablehook__(what)
