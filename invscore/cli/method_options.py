"""Options of methods as the command line gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invscore.methods import get_method

IN_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


def check_method_options(method: str, options: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for an unknown method, an option it lacks or one of the wrong type."""
    info = get_method(method)
    info.options(options)
    for name, value in options.items():
        kind = type(info.defaults[name])
        fits = type(value) is kind or (kind is float and type(value) is int)
        if kind in IN_WORDS and not fits:
            raise ValueError(f"method {method!r}: {name} is {value!r}: {IN_WORDS[kind]} is allowed")
    if options.get("steps", 1) < 1:
        raise ValueError(f"steps is {options['steps']}: at least 1 is needed")
