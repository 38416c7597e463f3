"""Intervals that hold what they promise, measured on images whose truth is known.

``calibrate`` finds by conformal risk control (``conformal``) how far the intervals of a method must
be widened, or may be narrowed. What it finds holds for new images like those it has seen, for the
same method, options, number of samples, operator, noise and prior.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from torch import Tensor

from invscore.calibration.conformal import conformal_factor, images_needed, left_out_factors
from invscore.calibration.record import Calibration, Held, as_json, setting_of
from invscore.result import Result
from invscore.uncertainty.intervals import half_width, relative_error


def calibrate(
    pairs: Iterable[tuple[Result, Tensor]], *, level: float = 0.9, **recorded: Any
) -> Calibration:
    """The calibration of results whose truth is known, in ``pairs`` of a result and its images.

    The truth is (b, \\*shape), as ``result.mean``. Each image of the batch counts as one. Pairs may
    come from a generator, one held in memory at a time. ``recorded``: what else belongs to the
    setting, such as ``noise=0.01``; JSON must be able to hold it. ``options`` of these that are
    None, as where a method chooses its steps, are those that the results have.

    Raises ``ValueError`` where there are too few images (``check_count``), where results differ in
    method, options or number of samples, where they have fewer than 2, or where samples agree on
    too many wrong pixels for any factor to help.

    After the example of ``invscore.calibration``:

    >>> from invscore.calibration import calibrate
    >>> found = calibrate([(result, truth)], level=0.8)
    >>> 0.5 < found.factor < 2
    True
    """
    setting: dict[str, Any] = {}
    errors: list[Tensor] = []
    widths: list[float] = []
    for result, truth in pairs:
        found = setting_of(result)
        if setting and setting != found:
            raise ValueError(
                "the results must be those of one method, with one set of options and number of "
                "samples"
            )
        setting = found
        if truth.shape != result.samples.shape[1:]:
            raise ValueError(
                f"`truth` must have the shape {tuple(result.samples.shape[1:])}, got "
                f"{tuple(truth.shape)}"
            )
        how: dict[str, Any] = {"paired": result.paired, "measured": result.measured}
        errors += relative_error(result.samples, truth, level, **how).cpu().unbind()
        half = half_width(result.samples, level, **how)
        widths += [2 * float(image.mean()) for image in half]
    check_count(len(errors), level)
    factor = conformal_factor(errors, level)
    factors = left_out_factors(errors, level)
    if not all(map(math.isfinite, [factor, *factors])):
        raise ValueError(
            "the samples agree on more wrong pixels than level "
            f"{level:g} allows: no factor widens an interval of no width"
        )
    held = [
        Held(_within(error, 1.0), _within(error, other), width, other * width)
        for error, other, width in zip(errors, factors, widths, strict=True)
    ]
    left_open = {name for name, value in recorded.get("options", {}).items() if value is None}
    chosen = {name: value for name, value in setting["options"].items() if name in left_open}
    if chosen:
        recorded["options"] = {**recorded["options"], **chosen}
    return Calibration(level, factor, as_json({**setting, **recorded}), tuple(held))


def check_count(images: int, level: float) -> None:
    """Raise ``ValueError`` where ``images`` are too few: each is judged by a factor of the others.

    10 are enough for a level of 0.9, 20 for 0.95.

    After the example of ``invscore.calibration``:

    >>> from invscore.calibration import check_count
    >>> check_count(20, 0.9)
    >>> check_count(3, 0.9)
    Traceback (most recent call last):
        ...
    ValueError: level 0.9 needs at least 10 images, got 3
    """
    if images <= images_needed(level):
        raise ValueError(
            f"level {level:g} needs at least {images_needed(level) + 1} images, got {images}"
        )


def _within(error: Tensor, factor: float) -> float:
    return float((error <= factor).cpu().double().mean())
