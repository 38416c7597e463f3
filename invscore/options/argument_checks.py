"""Checks of arguments: of the type that is asked for, or refused in a sentence."""

from __future__ import annotations

from operator import index
from typing import SupportsIndex

from invscore.options.words import in_words, with_article


def require_type(name: str, given: object, kind: type, advice: str = "") -> None:
    """Raise ``TypeError`` where ``given`` is no ``kind``; ``advice``: how to come by one.

    >>> from invscore.options.argument_checks import require_type
    >>> require_type("noise", "loud", float, "a standard deviation")
    Traceback (most recent call last):
        ...
    TypeError: `noise` must be a float, got 'loud': a standard deviation
    """
    if not isinstance(given, kind):
        told = f": {advice}" if advice else ""
        wanted = with_article(kind.__name__)
        raise TypeError(f"`{name}` must be {wanted}, got {in_words(given)}{told}")


def require_at_least(least: int, **numbers: SupportsIndex | None) -> None:
    """Raise for one that is no whole number (``TypeError``) or below ``least`` (``ValueError``).

    ``None`` is left out.
    """
    for name, given in numbers.items():
        if given is None:
            continue
        try:
            number = index(given)
        except TypeError:
            raise TypeError(f"`{name}` must be a whole number, got {in_words(given)}") from None
        if number < least:
            raise ValueError(f"`{name}` must be at least {least}, got {number}")
