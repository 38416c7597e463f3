"""Options of methods and samplers as the command line gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from invscore.cli.specs import parse_assignment

IN_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


class Choice(Protocol):
    """A method or a sampler, as registered."""

    @property
    def defaults(self) -> dict[str, Any]: ...

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]: ...


def parse_options(assignments: list[str] | None, steps: int | None) -> dict[str, Any]:
    """Options from ``--set`` and ``--steps``. Raises ``ValueError`` for one that is given twice."""
    options: dict[str, Any] = {} if steps is None else {"steps": steps}
    for assignment in assignments or []:
        name, value = parse_assignment(assignment, "--set")
        if name in options:
            raise ValueError(f"option {name} is given twice")
        options[name] = value
    return options


def check_options(called: str, choice: Choice, options: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for an option that ``choice`` lacks or one of the wrong type."""
    choice.options(options)
    for name, value in options.items():
        kind = type(choice.defaults[name])
        fits = type(value) is kind or (kind is float and type(value) is int)
        if kind in IN_WORDS and not fits:
            raise ValueError(f"{called}: {name} is {value!r}: {IN_WORDS[kind]} is allowed")
    if options.get("steps", 1) < 1:
        raise ValueError(f"steps is {options['steps']}: at least 1 is needed")
