"""Rows of numbers as text, as programs export images: with commas, semicolons, tabs or spaces."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from invscore.files import atomic_file
from invscore.readers.base import Array, Recording, Unfit, Wanted, as_float, single
from invscore.readers.memory_check import require_room

SEPARATORS = (",", ";", "\t")
"""What may stand between numbers; spaces where none of these does."""


def read(file: Path, wanted: Wanted) -> Recording:
    """The numbers in a text file, (h, w), in double precision: a line a row, comments from #.

    Numbers that are left out between separators are NaN, not measured. Raises ``Unfit`` for lines
    of different lengths and for what is no number.
    """
    single(file, wanted)
    require_room(file, (file.stat().st_size,), 4)  # a number takes two characters at least
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Unfit(f"{str(file)!r} cannot be read as text: it holds other bytes") from None
    lines = [line.partition("#")[0].rstrip() for line in text.splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        raise Unfit(f"{str(file)!r} must hold rows of numbers, got none")
    separator = next((each for each in SEPARATORS if each in lines[0]), None)
    rows = [[word.strip() for word in line.split(separator)] for line in lines]
    if separator and all(row[-1] == "" for row in rows):  # a separator ends each line
        rows = [row[:-1] for row in rows]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise Unfit(
                f"{str(file)!r} must have as many numbers in each row, {len(rows[0])} as in the "
                f"first, got {len(row)} in row {number}"
            )
    return Recording(np.array([[_number(word, file) for word in row] for row in rows]), "hw")


def _number(word: str, file: Path) -> float:
    try:
        return float(word or "nan")
    except ValueError:
        raise Unfit(f"{str(file)!r} must hold rows of numbers, got {word[:20]!r}") from None


def write(file: Path, values: Array, like: Recording) -> None:  # noqa: ARG001
    """``values``, (1, h, w), with nine digits; several channels below one another."""
    rows = as_float(values).reshape(-1, values.shape[-1])
    text = io.StringIO()
    np.savetxt(text, rows, fmt="%.9g", delimiter="," if file.suffix.lower() == ".csv" else "\t")
    with atomic_file(file) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")
