"""The way in: typer's commands, with errors and help pages in the words of this program."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

from invscore.cli.errors import USAGE, complain, flushed, usage


class Command(TyperCommand):
    """A command whose help page says of no flag that it takes a value, and has whole paragraphs.

    An option of one value is given once: a second one would overrule the first in silence.
    """

    def __init__(self, *words: Any, **settings: Any) -> None:
        super().__init__(*words, **settings)
        # The page keeps line ends, which are those of the code, and reads brackets as markup.
        self.help = _literal(re.sub(r"(?<=\S)\n[ ]*(?=\S)", " ", self.help or ""))
        for parameter in self.params:
            parameter.help = _literal(getattr(parameter, "help", None) or "")  # type: ignore[attr-defined]

    def get_params(self, ctx: Any) -> Any:
        return _plain(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:  # completion of a half-written command line
            order: list[Any] = self.make_parser(ctx).parse_args(args=list(args))[2]
            for option, times in Counter(order).items():
                single = not (getattr(option, "multiple", True) or getattr(option, "is_flag", True))
                if single and times > 1:
                    raise ValueError(f"{option.opts[0]} must be given once, got it {times} times")
        return super().parse_args(ctx, args)


class Group(TyperGroup):
    """Commands whose faults in usage are one sentence and status 2, as all others are."""

    def get_params(self, ctx: Any) -> Any:
        return _plain(super().get_params(ctx))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *more: Any,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        words = _quiet_first(list(sys.argv[1:] if args is None else args))
        try:
            _require_no_empty(words)
            extra["standalone_mode"] = False
            done = super().main(words, prog_name or "invscore", *more, **extra)
            status = (done if isinstance(done, int) else 0) or flushed()
        except Exception as error:
            if not hasattr(error, "format_message"):
                if isinstance(error, ValueError):
                    complain(str(error))
                    status = USAGE
                else:
                    raise
            else:
                # Without any argument, the help page is what was asked for, and has been shown.
                if str(error) or getattr(error, "param", None) is not None:
                    complain(usage(error))
                status = USAGE
        if standalone_mode:
            sys.exit(status)
        return status


def _quiet_first(words: list[str]) -> list[str]:
    """``--quiet`` is an option of all commands: wherever it stands it is read first."""
    end = words.index("--") if "--" in words else len(words)
    if "--quiet" not in words[:end]:
        return words
    return ["--quiet", *(word for word in words[:end] if word != "--quiet"), *words[end:]]


def _require_no_empty(words: Sequence[str]) -> None:
    """Raise ``ValueError`` for a word without a letter: no option and no argument is empty."""
    for before, word in zip(["", *words], words, strict=False):
        name, equals, value = word.partition("=")
        given = value if name.startswith("--") and equals else word
        if not given.strip():
            option = name if equals else before
            what = option if option.startswith("-") else "an argument"
            raise ValueError(f"{what} must not be empty, got {given!r}")


def _literal(text: str) -> str:
    """The text with brackets that are shown, where markup is read."""
    return text.replace("[", r"\[")


def _plain(parameters: list[Any]) -> list[Any]:
    """The parameters, of which those without a value have no name for one."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters
