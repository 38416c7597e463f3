"""Refusals of operators that do not fit into memory, before anything is allocated."""

from __future__ import annotations

import math

from invscore.hardware import memory
from invscore.operators.base import Shape

DOUBLE = 8
"""Bytes of a number in double precision, in which operators are made."""


def require_room(numbers: float, what: str) -> None:
    """Raise ``ValueError`` where ``what`` has more ``numbers`` than memory takes, in double."""
    memory.require(DOUBLE * numbers, what)


def require_room_for_images(shape: Shape, copies: float = 1) -> None:
    """Raise ``ValueError`` where memory does not take so many ``copies`` of an image's pixels."""
    require_room(copies * math.prod(shape), f"an operator of images of `in_shape` {tuple(shape)}")
