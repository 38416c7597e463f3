"""Words for error messages: what was given, in short, and what may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 60
"""Most characters of a given value that a message repeats."""


def shown(value: object) -> str:
    """``value`` as a message repeats it: its ``repr``, cut where it is long."""
    try:
        text = repr(value)
    except Exception:  # a class of the user's own
        text = f"a {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]}... "[:-1]


def in_words(value: object) -> str:
    """A number or a text as it is, and of anything else the type."""
    short = isinstance(value, bool | int | float | complex | str) and len(repr(value)) < 80
    return repr(value) if short or value is None else type(value).__name__


def as_written(value: object) -> str:
    """A value of an option as a specification would write it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def kind_of(value: object) -> str:
    """``"a dict"``, ``"an int"``, or ``"None"``: what users of a language say of its types."""
    if value is None:
        return "None"
    return with_article(type(value).__name__)


def with_article(name: str) -> str:
    """``"an int"``, ``"a UNet"``."""
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


def meant(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'dps'?"`` where one of ``known`` is close to ``name``, or nothing."""
    by_case = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name[:LONGEST].strip().casefold(), by_case, n=1)
    return f"; did you mean {by_case[near[0]]!r}?" if near else ""


def one_of(names: Iterable[object]) -> str:
    """``"a, b or c"``."""
    *others, last = map(str, names)
    return f"{', '.join(others)} or {last}" if others else last
