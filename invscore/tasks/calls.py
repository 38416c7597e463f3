"""Calls of users' own classes and functions with the options of a command line."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from invscore.options.words import meant
from invscore.plugins.modules import where


def call_own(
    target: Any, what: str, given: Mapping[str, Any], hints: Mapping[str, str] | None = None
) -> object:
    """What ``target``, a class or function named ``what``, makes of the options ``given``.

    ``hints`` say how an option that is missing would be given, by default ``NAME=...``. Raises
    ``ValueError`` for an option that it does not have, for one that is missing, and where it fails,
    with the line of the user's code.
    """
    parameters = inspect.signature(target).parameters
    for option in given:
        if option not in parameters:
            has = ", ".join(parameters) or "none"
            near = meant(option, parameters)
            raise ValueError(f"{what} has no option {option!r}: it has {has}{near}")
    for parameter in parameters.values():
        variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.default is parameter.empty and not variadic and parameter.name not in given:
            hint = (hints or {}).get(parameter.name, f"{parameter.name}=...")
            raise ValueError(f"{what} needs {parameter.name}: give {hint}")
    try:
        return target(**given)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{what} fails: {where(error, __file__)}") from error
