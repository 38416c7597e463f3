"""Errors as users see them: one sentence on stderr and an exit status, no traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer

USAGE = 2
INTERRUPTED = 130


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with every exception turned into one sentence and status 2.

    An interruption has status 130. With the option ``debug`` exceptions pass, traceback and all.
    """

    @functools.wraps(command)
    def run(*args: Any, debug: bool, **options: Any) -> None:
        try:
            command(*args, debug=debug, **options)
        except typer.Exit:
            raise
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # the reader of our output, such as head, has seen enough
            raise
        except Exception as error:
            if debug:
                raise
            say(f"{typer.style('error', fg='red', bold=True)}: {sentence(error)}")
            raise typer.Exit(USAGE) from None

    return run


def say(message: str) -> None:
    typer.echo(f"invscore: {message}", err=True)


def show_warning(message: Warning | str, *about: Any, **more: Any) -> None:  # noqa: ARG001
    """In place of ``warnings.showwarning``: what to know, without the line of code that says it."""
    say(f"{typer.style('warning', fg='yellow', bold=True)}: {' '.join(str(message).split())}")


def sentence(error: Exception) -> str:
    """What happened, for someone who did not write the program."""
    text = " ".join(str(error).split())
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


def _out_of_memory(error: Exception) -> bool:
    # torch is not imported here to ask for its class; on the CPU it raises a plain RuntimeError.
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )
