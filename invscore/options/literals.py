"""Parsing of ``key=value``, numbers, lists and text; nothing is evaluated.

Values are literals: numbers, true, false, none, tuples in round or square brackets, quoted or bare
text.
"""

from __future__ import annotations

from typing import Any

OPENING, CLOSING, QUOTES = "([", ")]", "'\""
CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "none": None}


def parse_options(text: str, where: str) -> dict[str, Any]:
    """``key=value, key=value``. Raises ``ValueError``, speaking of ``where``, for anything else."""
    options: dict[str, Any] = {}
    for item in split(text):
        key, value = parse_assignment(item, where)
        if key in options:
            raise ValueError(f"{where}: {key} is given twice")
        options[key] = value
    return options


def parse_assignment(text: str, where: str) -> tuple[str, Any]:
    """``key=value`` as a pair. Raises ``ValueError``, speaking of ``where``, for anything else."""
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key.isidentifier() or not value:
        raise ValueError(f"{where}: an option must be option=value, got {text!r}")
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
