"""Functions that users choose by name, and their options: the keyword-only arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

Function = Callable[..., Any]


def summary(function: Function) -> str:
    """The first sentence of its documentation."""
    return (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")


def defaults(function: Function) -> dict[str, Any]:
    """Its options and their defaults."""
    parameters = inspect.signature(function).parameters.values()
    return {
        p.name: p.default
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.default is not p.empty
    }


def with_defaults(
    called: str, known: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The defaults ``known``, with ``given`` in their place.

    Raises ``ValueError`` on a name that is not among them, speaking of what is ``called`` so.
    """
    for name in given:
        if name not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{called} has no option {name!r}: {has}")
    return {**known, **given}
