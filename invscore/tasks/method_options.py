"""Options of methods, samplers and baselines as users give them, in words or in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

IN_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


class Choice(Protocol):
    """A method or a sampler, as registered."""

    @property
    def name(self) -> str: ...

    @property
    def defaults(self) -> dict[str, Any]: ...

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]: ...


def check_options(called: str, choice: Choice, options: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for an option that ``choice`` lacks or one of the wrong type."""
    choice.options(options)
    for name, value in options.items():
        kind = type(choice.defaults[name])
        fits = type(value) is kind or (kind is float and type(value) is int)
        if kind in IN_WORDS and not fits:
            raise ValueError(f"{called}: `{name}` must be {IN_WORDS[kind]}, got {value!r}")
    if options.get("steps", 1) < 1:
        raise ValueError(f"`steps` must be at least 1, got {options['steps']}")
