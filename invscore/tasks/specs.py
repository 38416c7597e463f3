"""Operator specifications: ``name``, ``name(key=value, ...)``, ``file.py:name(key=value, ...)``.

Values are literals and nothing is evaluated: numbers, true, false, none, tuples in round or square
brackets, quoted or bare text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OPENING, CLOSING, QUOTES = "([", ")]", "'\""
CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "none": None}


@dataclass(frozen=True)
class Spec:
    """What a specification says. ``file`` is set for an operator from the user's own file."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    file: Path | None = None


def parse_spec(text: str, kind: str = "operator") -> Spec:
    """The specification ``text`` of a ``kind``. Raises ``ValueError`` where it is malformed."""
    file, head = None, text.strip()
    if match := re.match(r"(.+?\.py):(.*)", head, re.DOTALL):
        file, head = Path(match[1]), match[2]
    match = re.fullmatch(r"\s*([\w.-]+)\s*(?:\((.*)\))?\s*", head, re.DOTALL)
    if not match:
        raise ValueError(
            f"{kind} {text!r} is not understood: NAME, 'NAME(option=value, ...)' or "
            "FILE.py:NAME is allowed"
        )
    options: dict[str, Any] = {}
    for item in split(match[2] or ""):
        key, value = parse_assignment(item, f"{kind} {text!r}")
        if key in options:
            raise ValueError(f"{kind} {text!r}: {key} is given twice")
        options[key] = value
    return Spec(match[1], options, file)


def parse_assignment(text: str, where: str) -> tuple[str, Any]:
    """``key=value`` as a pair. Raises ``ValueError``, speaking of ``where``, for anything else."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key.isidentifier() or not value:
        raise ValueError(f"{where}: {text!r} is not understood: option=value is allowed")
    return key, literal(value)


def literal(text: str) -> Any:
    """The value that ``text`` writes down; text that is nothing else stands for itself."""
    text = text.strip()
    if text.lower() in CONSTANTS:
        return CONSTANTS[text.lower()]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    if len(text) >= 2 and text[0] in QUOTES and text[-1] == text[0]:
        return text[1:-1]
    if len(text) >= 2 and text[0] in OPENING and text[-1] == CLOSING[OPENING.index(text[0])]:
        return tuple(literal(part) for part in split(text[1:-1]))
    return text


def split(text: str) -> list[str]:
    """The parts of ``text`` between commas that stand in no brackets and no quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in QUOTES:
            quote = character
        elif character in OPENING:
            depth += 1
        elif character in CLOSING:
            depth -= 1
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]
