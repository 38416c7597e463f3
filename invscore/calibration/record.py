"""A calibration: how far intervals are widened, what was measured, and the file that holds it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat

from invscore.files import atomic_file
from invscore.files.plain_json import read_json
from invscore.options.config import Section, as_section
from invscore.options.ranges import Share
from invscore.result import Result
from invscore.uncertainty.intervals import Interval, check_level, credible_interval

FORMAT = "invscore calibration 2"


@dataclass(frozen=True)
class Held:
    """What the interval of one image holds, before calibration and after it.

    ``coverage``: the fraction of its pixels inside, of both parts of complex ones. ``width``: the
    mean width. After: with the factor that the other images give, so that it is no self-praise.

    After the example of ``invscore.calibration``:

    >>> from invscore.calibration import calibrate
    >>> first = calibrate([(result, truth)], level=0.8).images[0]
    >>> 0.6 < first.coverage_after < 1
    True
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

    After the example of ``invscore.calibration``:

    >>> from invscore.calibration import calibrate
    >>> found = calibrate([(result, truth)], level=0.8)
    >>> found.level, len(found.images)
    (0.8, 8)
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
        measured, given = _flat(self.setting), _flat(as_json(setting))
        for name in measured.keys() & given.keys():
            if measured[name] != given[name]:
                raise ValueError(
                    f"the calibration was made with {name} {measured[name]}, given {given[name]}: "
                    "intervals need a calibration of their own for it"
                )

    def interval(self, result: Result) -> Interval:
        """The calibrated interval of a result, (b, \\*shape); ``ValueError`` as for ``require``."""
        self.require(setting_of(result))
        return credible_interval(
            result.samples,
            self.level,
            self.factor,
            paired=result.paired,
            measured=result.measured,
        )

    def mean(self, quantity: str) -> tuple[float, float]:
        """The mean over images of a number of ``Held``, and its standard error."""
        values = torch.tensor([getattr(image, quantity) for image in self.images]).double()
        return float(values.mean()), float(values.std()) / len(values) ** 0.5

    def content(self) -> dict[str, Any]:
        """Content of the file: the fields, and the means over images."""
        quantities = [each.name for each in fields(Held)]
        means = {quantity: self.mean(quantity)[0] for quantity in quantities}
        return {"format": FORMAT, "means": means, **asdict(self)}

    def save(self, path: str | Path) -> None:
        """Write a small JSON file: as a whole or not at all."""
        with atomic_file(Path(path)) as partial:
            partial.write_text(json.dumps(self.content(), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Reads a file that ``save`` has written. Raises ``ValueError`` for anything else."""
        if not Path(path).exists():
            raise ValueError(f"calibration {str(path)!r}: no such file")
        try:
            stored = as_section(read_json(path), _InFile)
            images = tuple(Held(**image.model_dump()) for image in stored.images)
            return cls(stored.level, stored.factor, stored.setting, images)
        except ValueError as error:
            raise ValueError(
                "the calibration must be a file written by 'invscore calibrate', got "
                f"{str(path)!r}: {error}"
            ) from error


class _ImageInFile(Section):
    """A ``Held`` in a file."""

    coverage_before: Share
    coverage_after: Share
    width_before: NonNegativeFloat
    width_after: NonNegativeFloat


class _InFile(Section):
    """A calibration in a file."""

    format: Literal["invscore calibration 2"]
    level: float = Field(gt=0, lt=1)
    factor: PositiveFloat
    setting: dict[str, Any]
    images: tuple[_ImageInFile, ...] = Field(min_length=1)
    means: dict[str, float] = Field(default={})


def setting_of(result: Result) -> dict[str, Any]:
    return as_json(
        {
            "method": result.asked or result.method,
            "options": result.options,
            "samples": len(result.samples),
            "antithetic": result.paired,
        }
    )


def as_json(setting: Mapping[str, Any]) -> dict[str, Any]:
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
