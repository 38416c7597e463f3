"""Whether the numbers that a file declares fit into memory, asked before any is read.

A few kilobytes may declare, or inflate to, more than any machine has: compressed zeros, files with
holes, headers that lie.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from invscore.hardware import memory
from invscore.readers.base import Unfit

REAL, COMPLEX = 8 + 4 + 4, 16 + 8 + 8
"""Bytes for each number beside those in the file: divided in double precision, narrowed, copied."""


def require_room(file: str | Path, shape: Sequence[int], itemsize: int) -> None:
    """Raise ``Unfit`` where numbers of ``itemsize`` bytes and this ``shape`` do not fit."""
    _require(itemsize * math.prod(shape), repr(str(file)), shape)


def require_room_for_part(name: str, values: Any, kept: Sequence[int]) -> None:
    """Raise ``Unfit`` where the part of ``values``, of shape ``kept``, does not fit once converted.

    ``name`` as it is to be printed. A part of what is stored in compressed chunks needs as many of
    them as hold it: at least one.
    """
    kind = np.dtype(values.dtype)
    numbers = math.prod(kept)
    least = math.prod(getattr(values, "chunks", None) or ()) * kind.itemsize
    needed = max(least, kind.itemsize * numbers) + (COMPLEX if kind.kind == "c" else REAL) * numbers
    _require(needed, name, kept)


def _require(needed: int, name: str, shape: Sequence[int]) -> None:
    try:
        memory.require(needed, f"{name}, of shape ({', '.join(map(str, shape))}),")
    except ValueError as error:
        raise Unfit(str(error)) from None
