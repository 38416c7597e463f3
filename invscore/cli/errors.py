"""Errors as users see them: one sentence on stderr and an exit status, no traceback."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from typing import Any

import typer

from invscore.cli import stopping
from invscore.plugins.modules import blamed

USAGE = 2
INTERRUPTED = 130


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with every exception turned into one sentence and status 2.

    Where a signal has ended it the status is 128 and its number. With the option ``debug`` the
    traceback comes first. Code of the user's own that leaves by ``sys.exit`` has failed, too.
    """

    @functools.wraps(command)
    def run(*args: Any, debug: bool, **options: Any) -> None:
        try:
            command(*args, debug=debug, **options)
        except typer.Exit:
            raise
        except BrokenPipeError:  # the reader of our output, such as head, has seen enough
            raise
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            # What is raised once a signal has come follows from it.
            stop = error if isinstance(error, KeyboardInterrupt) else stopping.stopped()
            if stop is not None:
                say(str(stop) or "interrupted")
                raise typer.Exit(getattr(stop, "status", INTERRUPTED)) from None
            if debug:
                traceback.print_exception(error)
            complain(sentence(error))
            raise typer.Exit(USAGE) from None

    return run


_quiet = False


def be_quiet(wanted: bool) -> None:
    """Leave out progress and warnings from now on, or not: errors are always told."""
    global _quiet
    _quiet = wanted


def is_quiet() -> bool:
    return _quiet


def say(message: str) -> None:
    typer.echo(f"invscore: {message}", err=True)


def note(message: str) -> None:
    """``say`` what may be left out."""
    if not is_quiet():
        say(message)


def complain(message: str) -> None:
    say(f"{typer.style('error', fg='red', bold=True)}: {message}")


def show_warning(message: Warning | str, *about: Any, **more: Any) -> None:  # noqa: ARG001
    """Replacement of ``warnings.showwarning`` that omits the line of code."""
    if is_quiet():
        return
    say(f"{typer.style('warning', fg='yellow', bold=True)}: {' '.join(str(message).split())}")


def sentence(error: BaseException) -> str:
    """Message of an exception, for someone who did not write the program."""
    # Behind what has happened, torch says where in its own C++ code.
    told = str(error).split("Exception raised from")[0]
    told = "; ".join([told, *getattr(error, "__notes__", ())])
    text = _printable(" ".join(told.split()))
    if place := blamed(error):
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        return f"{kind}{text} ({place})"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename!r}: {error.strerror}" if error.filename else error.strerror
    if _out_of_memory(error):
        return (
            "out of memory: a smaller --batch-size or --size needs less, "
            "and so does another --device with more memory"
        )
    ours = type(error).__module__.split(".")[0] == "invscore"
    if text and (ours or isinstance(error, (ValueError, OSError))):
        return text
    return f"unexpected {type(error).__name__}: {text} (--debug shows where)"


def usage(error: Exception) -> str:
    """Message of an error of typer, about the words of a command line."""
    from pydantic import ValidationError

    from invscore.options.faults import must_be
    from invscore.options.words import shown

    parameter, cause = getattr(error, "param", None), error.__cause__
    text = " ".join(str(error.format_message()).split())  # type: ignore[attr-defined]
    if parameter is not None and isinstance(cause, ValidationError):
        fault = cause.errors()[0]
        words = must_be(fault)
        if words is not None:
            name = parameter.opts[0] if parameter.opts else parameter.name
            text = f"{name} must be {words}, got {shown(fault['input'])}"
    text = text.replace("Got unexpected extra argument(s)", "too many arguments:").rstrip(".")
    context = getattr(error, "ctx", None)
    path = "invscore" if context is None else context.command_path
    return f"{text} ('{path} --help' explains)"


def _printable(text: str) -> str:
    """``text`` without the codes by which a terminal is told to do other things."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _out_of_memory(error: BaseException) -> bool:
    # torch is not imported here to ask for its class; on the CPU it raises a plain RuntimeError.
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )


def flushed() -> int:
    """0 once all that was printed has left; otherwise a sentence says why not, and the status."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        complain(f"the output cannot be written: {error.strerror}")
        # Python would try once more at its end, and complain in words of its own.
        sys.stdout = open("/dev/null", "w") if sys.platform != "win32" else None  # noqa: SIM115
        return USAGE
    return 0
