"""What a command line says of the noise: a number, a law with its options, or a file.

``0.01`` and ``gaussian(sigma=0.01)`` are its standard deviation, ``poisson(photons=200)`` is that
of counts, and ``map.npy`` or ``map(file=night.fits, key=ERR)`` a standard deviation, a variance or
a weight for each number of the measurement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Interval

from invscore import ranges
from invscore.literals import parse_options
from invscore.words import meant

if TYPE_CHECKING:
    from torch import Tensor

Positive = Annotated[float, Interval(gt=0, le=1e15)]
KINDS = (
    "a standard deviation from 0, gaussian(sigma=...), poisson(photons=...) or a file of standard "
    "deviations"
)
NAMES = ("noise", "std", "sigma", "uncertainty", "error")
"""What an array of standard deviations is called in a file of several."""


@dataclass(frozen=True)
class Gaussian:
    """White noise of the standard deviation ``sigma``, in units of the measurement."""

    sigma: Annotated[float, Interval(ge=0, le=1e15)]


@dataclass(frozen=True)
class Poisson:
    """Counts, ``photons`` of them at intensity 1: 1 where the measurement holds counts itself.

    ``dark`` is the background of no light, in counts, see ``PoissonNoise``.
    """

    photons: Positive
    dark: Positive = 0.01

    def __str__(self) -> str:
        dark = "" if self.dark == Poisson.dark else f", dark={self.dark:g}"
        return f"poisson(photons={self.photons:g}{dark})"


Kind = Literal["std", "variance", "weights"]
KINDS_BY_NAME: dict[str, Kind] = {
    **dict.fromkeys(("var", "variance"), "variance"),
    **dict.fromkeys(("ivar", "wht", "wgt", "weight", "weights", "invvar"), "weights"),
}
"""What an array is by its name, in lower case; others hold standard deviations."""


@dataclass(frozen=True)
class NoiseMap:
    """How precise each number is, in a file; the array ``key`` where it has several.

    ``kind``: standard deviations, variances, or weights, which are one over variances. By default
    what the ``key`` says: VAR or VARIANCE, WHT, WEIGHT or IVAR, and otherwise deviations.
    """

    file: str
    key: str | None = None
    kind: Kind | None = None

    def __str__(self) -> str:
        told = {"file": self.file, "key": self.key, "kind": self.kind}
        given = [f"{name}={value}" for name, value in told.items() if value is not None]
        return self.file if len(given) == 1 else f"map({', '.join(given)})"

    @property
    def holds(self) -> Kind:
        """What the numbers are."""
        return self.kind or KINDS_BY_NAME.get((self.key or "").lower(), "std")

    def read(self, out_shape: tuple[int, ...]) -> Tensor:
        """The standard deviations of a measurement of ``out_shape``, as float64.

        (h, w) serves all channels alike. Raises ``ValueError`` for another shape, for complex or
        negative numbers, and where none of them is a positive number.
        """
        import numpy as np
        import torch

        from invscore.readers import as_numbers, pick, read

        name = f"the noise map {self.file!r}"
        try:
            recording = pick(read(Path(self.file), self.key, NAMES), name)
        except ValueError as error:
            raise ValueError(f"noise map {error}") from error
        numbers = as_numbers(np.asarray(recording.values), name, recording.white)
        if numbers.dtype.kind == "c":
            raise ValueError(f"{name} must hold real numbers, got {recording.values.dtype}")
        values = torch.from_numpy(np.ascontiguousarray(numbers, dtype=np.float64))
        layouts = [values, values[None], values.movedim(-1, 0)] if values.ndim else []
        layouts += [values.expand(out_shape)] if tuple(values.shape) == out_shape[1:] else []
        found = next((each for each in layouts if tuple(each.shape) == out_shape), None)
        if found is None:
            raise ValueError(
                f"{name} must have the measurement's shape {out_shape}, got {tuple(values.shape)}"
            )
        what = {"std": "standard deviation", "variance": "variance", "weights": "weight"}[
            self.holds
        ]
        if bool((found < 0).any()):
            lowest = float(found[found < 0].min())
            raise ValueError(f"{name} must hold {what}s from 0, got {lowest:g}")
        if not bool((found.isfinite() & (found > 0)).any()):
            raise ValueError(f"{name} must hold a positive finite {what} somewhere, got none")
        return {"std": found, "variance": found.sqrt(), "weights": found.rsqrt()}[self.holds]


Declared = float | Poisson | NoiseMap
LAWS: dict[str, type[Gaussian] | type[Poisson] | type[NoiseMap]] = {
    "gaussian": Gaussian,
    "poisson": Poisson,
    "map": NoiseMap,
}


def parse_declared(text: str) -> Declared:
    """The noise that ``text`` says. Raises ``ValueError`` where it says none."""
    try:
        return float(text)
    except ValueError:
        pass
    if match := re.fullmatch(r"\s*(\w+)\s*\((.*)\)\s*", text, re.DOTALL):
        name, options = match[1], match[2]
    elif (name := text.strip()) in LAWS:
        options = ""
    elif Path(text).suffix or Path(text).exists():
        return NoiseMap(text)
    if name not in LAWS:
        raise ValueError(f"`noise` must be auto, {KINDS}, got {text!r}{meant(name, LAWS)}")
    law = _law(name, parse_options(options, f"noise {text!r}"))
    return float(law.sigma) if isinstance(law, Gaussian) else law


def _law(name: str, options: dict[str, Any]) -> Gaussian | Poisson | NoiseMap:
    law, called = LAWS[name], f"noise {name!r}"
    hints = ranges.hints(law)
    for option, value in options.items():
        if option not in hints:
            near = meant(option, hints)
            raise ValueError(f"{called} has no option {option!r}: it has {', '.join(hints)}{near}")
        ranges.require(value, hints[option], option, called)
    first = next(iter(hints))
    if first not in options:
        raise ValueError(f"{called} needs {first}: for example '{name}({first}=...)'")
    return law(**options)
