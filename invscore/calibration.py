"""Intervals that hold what they promise, measured on images whose truth is known.

``calibrate`` finds by conformal risk control (``invscore.uncertainty.conformal``) how far the
intervals of a method must be widened, or may be narrowed. What it finds holds for new images like
those it has seen, for the same method, options, number of samples, operator, noise and prior.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor

from invscore.config import Section, as_section
from invscore.driver import Result
from invscore.files import atomic_file
from invscore.plain_json import read_json
from invscore.uncertainty.conformal import conformal_factor, images_needed, left_out_factors
from invscore.uncertainty.intervals import (
    Interval,
    check_level,
    credible_interval,
    half_width,
    relative_error,
)

FORMAT = "invscore calibration 1"


Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Held:
    """What the interval of one image holds, before calibration and after it.

    ``coverage``: the fraction of its pixels inside, of both parts of complex ones. ``width``: the
    mean width. After: with the factor that the other images give, so that it is no self-praise.
    """

    coverage_before: float
    coverage_after: float
    width_before: float
    width_after: float


@dataclass(frozen=True)
class Calibration:
    """The interval ``mean +- factor t sqrt(1 + 1 / n) std`` holds ``level`` of the pixels.

    At least that fraction, on average over images. ``factor`` is 1 where the samples were
    calibrated before. ``setting``: what it was measured with, ``method``, ``options``, ``samples``
    and whatever was recorded beside them. ``images``: what became of each.

    Raises ``ValueError`` for a ``level`` not between 0 and 1, a ``factor`` not positive.
    """

    level: float
    factor: float
    setting: Mapping[str, Any]
    images: tuple[Held, ...] = field(repr=False)

    def __post_init__(self) -> None:
        check_level(self.level)
        if not (self.factor > 0 and math.isfinite(self.factor)):
            raise ValueError(f"`factor` must be a positive number, got {self.factor}")

    def require(self, setting: Mapping[str, Any]) -> None:
        """Raise ``ValueError`` where ``setting`` has another value than the calibration has."""
        measured, given = _flat(self.setting), _flat(_as_json(setting))
        for name in measured.keys() & given.keys():
            if measured[name] != given[name]:
                raise ValueError(
                    f"the calibration was made with {name} {measured[name]}, given {given[name]}: "
                    "intervals need a calibration of their own for it"
                )

    def interval(self, result: Result) -> Interval:
        """The calibrated interval of a result, (b, \\*shape); ``ValueError`` as for ``require``."""
        self.require(_setting(result))
        return credible_interval(result.samples, self.level, self.factor, paired=result.paired)

    def mean(self, quantity: str) -> tuple[float, float]:
        """The mean over images of a number of ``Held``, and its standard error."""
        values = torch.tensor([getattr(image, quantity) for image in self.images]).double()
        return float(values.mean()), float(values.std()) / len(values) ** 0.5

    def content(self) -> dict[str, Any]:
        """What ``save`` writes: the fields, and the means over images."""
        quantities = [each.name for each in fields(Held)]
        means = {quantity: self.mean(quantity)[0] for quantity in quantities}
        return {"format": FORMAT, "means": means, **asdict(self)}

    def save(self, path: str | Path) -> None:
        """Write a small JSON file: as a whole or not at all."""
        with atomic_file(Path(path)) as partial:
            partial.write_text(json.dumps(self.content(), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """What ``save`` has written. Raises ``ValueError`` for anything else."""
        if not Path(path).exists():
            raise ValueError(f"calibration {str(path)!r}: no such file")
        try:
            stored = as_section(read_json(path), Stored)
            images = tuple(Held(**image.model_dump()) for image in stored.images)
            return cls(stored.level, stored.factor, stored.setting, images)
        except ValueError as error:
            raise ValueError(
                "the calibration must be a file written by 'invscore calibrate', got "
                f"{str(path)!r}: {error}"
            ) from error


class StoredImage(Section):
    """A ``Held`` in a file."""

    coverage_before: Share
    coverage_after: Share
    width_before: NonNegativeFloat
    width_after: NonNegativeFloat


class Stored(Section):
    """A calibration in a file."""

    format: Literal["invscore calibration 1"]
    level: float = Field(gt=0, lt=1)
    factor: PositiveFloat
    setting: dict[str, Any]
    images: tuple[StoredImage, ...] = Field(min_length=1)
    means: dict[str, float] = Field(default={})


def calibrate(
    pairs: Iterable[tuple[Result, Tensor]], *, level: float = 0.9, **recorded: Any
) -> Calibration:
    """The calibration of results whose truth is known, in ``pairs`` of a result and its images.

    The truth is (b, \\*shape), as ``result.mean``. Each image of the batch counts as one. Pairs may
    come from a generator, one held in memory at a time. ``recorded``: what else belongs to the
    setting, such as ``noise=0.01``; JSON must be able to hold it.

    Raises ``ValueError`` where there are too few images (``check_count``), where results differ in
    method, options or number of samples, where they have fewer than 2, or where samples agree on
    too many wrong pixels for any factor to help.
    """
    setting: dict[str, Any] = {}
    errors: list[Tensor] = []
    widths: list[float] = []
    for result, truth in pairs:
        found = _setting(result)
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
        errors += relative_error(result.samples, truth, level, paired=result.paired).cpu().unbind()
        half = half_width(result.samples, level, paired=result.paired)
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
    return Calibration(level, factor, _as_json({**setting, **recorded}), tuple(held))


def check_count(images: int, level: float) -> None:
    """Raise ``ValueError`` where ``images`` are too few: each is judged by a factor of the others.

    10 are enough for a level of 0.9, 20 for 0.95.
    """
    if images <= images_needed(level):
        raise ValueError(
            f"level {level:g} needs at least {images_needed(level) + 1} images, got {images}"
        )


def _within(error: Tensor, factor: float) -> float:
    return float((error <= factor).double().mean())


def _setting(result: Result) -> dict[str, Any]:
    return _as_json(
        {
            "method": result.asked or result.method,
            "options": result.options,
            "samples": len(result.samples),
            "antithetic": result.paired,
        }
    )


def _as_json(setting: Mapping[str, Any]) -> dict[str, Any]:
    """``setting`` as it comes back from a file: tuples are lists there."""
    content: dict[str, Any] = json.loads(json.dumps(setting))
    return content


def _flat(setting: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"options": {"steps": 20}}`` as ``{"options.steps": 20}``."""
    flat: dict[str, Any] = {}
    for name, value in setting.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
