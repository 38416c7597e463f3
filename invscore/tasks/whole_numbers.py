"""Noise level of the rounding to whole numbers, below which that of such a file is not."""

from __future__ import annotations

import math
from typing import Literal

from invscore.images import MEASUREMENT_KEYS
from invscore.noise import Noise
from invscore.readers import Part, read
from invscore.tasks.noises import Declared

SHADES = 255
"""Whole numbers of 8 bits, the coarsest that are read as shades from 0 to 1."""


def at_least_rounding(
    noise: Declared | Noise | Literal["auto"], measurement: str, part: Part
) -> tuple[Declared | Noise | Literal["auto"], tuple[str, ...]]:
    """A level declared for a file, and what was done where that of its rounding is larger.

    Numbers rounded to steps of 1 / 255, as those of 8 bits are, err by 1 / (255 sqrt(12)) on
    average, as uniform numbers within a step do: declared to be exact, they fit no image. Numbers
    in floating point, and laws other than one level, are taken as declared.
    """
    if not isinstance(noise, float | int) or not 0 <= noise < _rounding(SHADES):
        return noise, ()
    if part.get("reader"):
        return noise, ()
    white = read(measurement, part.get("key"), MEASUREMENT_KEYS).white
    if white is None or noise >= _rounding(white):
        return noise, ()
    level = _rounding(white)
    told = (
        f"noise {level:.3g}, the rounding of {measurement!r} to whole numbers of 0 to {white:g}, "
        f"which is more than the declared {noise:g}"
    )
    return level, (told,)


def _rounding(white: float) -> float:
    return 1 / (white * math.sqrt(12))
