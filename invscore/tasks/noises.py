"""Noise as a command line declares it: a number, a law with its options, or a file.

``0.01`` and ``gaussian(sigma=0.01)`` are its standard deviation, ``poisson(photons=200)`` is that
of counts, ``map.npy`` or ``map(file=night.fits, key=ERR)`` a standard deviation, a variance or a
weight for each number of the measurement, and ``my_noise.py:Laplace(scale=0.1)`` a law of one's
own. ``LAWS`` has all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Interval

from invscore.options import ranges
from invscore.options.literals import parse_options
from invscore.options.words import meant, one_of
from invscore.plugins.entry_points import installed, is_address

Positive = Annotated[float, Interval(gt=0, le=1e15)]
Counted = Annotated[float, Interval(ge=0, le=1e15)]
Kind = Literal["std", "variance", "weights"]
KINDS_BY_NAME: dict[str, Kind] = {
    **dict.fromkeys(("var", "variance"), "variance"),
    **dict.fromkeys(("ivar", "wht", "wgt", "weight", "weights", "invvar"), "weights"),
}
"""What an array holds by its name, in lower case; others hold standard deviations."""


@dataclass(frozen=True)
class Law:
    """A law of noise and its options, each of a type that declares its range."""

    called: ClassVar[str]

    def __str__(self) -> str:
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        given = [
            f"{each.name}={_written(told[each.name])}"
            for each in fields(self)
            if each.default is MISSING or told[each.name] != each.default
        ]
        return f"{self.called}({', '.join(given)})"


@dataclass(frozen=True)
class Gaussian(Law):
    """White noise of the standard deviation ``sigma``, in units of the measurement."""

    called = "gaussian"
    sigma: Annotated[float, Interval(ge=0, le=1e15)]


@dataclass(frozen=True)
class Poisson(Law):
    """Counts, ``photons`` of them at intensity 1: 1 where the measurement holds counts itself.

    ``dark``: counts below which the rate falls no further in proportion. ``background``: counts of
    something else that are in the measurement, one number or a file of them; they are taken off.
    """

    called = "poisson"
    photons: Positive
    dark: Positive = 0.01
    background: Counted | str = 0.0


@dataclass(frozen=True)
class PoissonGaussian(Law):
    """Counts that are read with noise of the standard deviation ``sigma``, in units of y."""

    called = "poisson-gaussian"
    photons: Positive
    sigma: Positive
    background: Counted | str = 0.0


@dataclass(frozen=True)
class Transmission(Law):
    """Counts behind an absorber: ``photons exp(-A x) + background`` are expected.

    Numbers, or files of the shape of the measurement. Without ``photons`` the file of the
    measurement has to tell, as Data Exchange does.
    """

    called = "transmission"
    photons: Positive | str | None = None
    background: Counted | str = 0.0


@dataclass(frozen=True)
class Rician(Law):
    """Magnitudes of complex numbers with noise ``sigma`` in either part, as those of MRI."""

    called = "rician"
    sigma: Positive


@dataclass(frozen=True)
class Speckle(Law):
    """Multiplicative noise, of intensities averaged over ``looks``: 1 is full speckle."""

    called = "speckle"
    looks: Positive


@dataclass(frozen=True)
class NoiseMap(Law):
    """How precise each number is, in a file; the array ``key`` where it has several.

    ``kind``: standard deviations, variances, or weights, which are one over variances. By default
    what the ``key`` says: VAR or VARIANCE, WHT, WEIGHT or IVAR, and otherwise deviations.
    """

    called = "map"
    file: str
    key: str | None = None
    kind: Kind | None = None

    def __str__(self) -> str:
        return self.file if self.key is None and self.kind is None else super().__str__()

    @property
    def holds(self) -> Kind:
        """Name of what the numbers are."""
        return self.kind or KINDS_BY_NAME.get((self.key or "").lower(), "std")


@dataclass(frozen=True)
class OwnLaw(Law):
    """A law of noise of one's own, from a Python file or an installed package, and its options."""

    called = "own"
    address: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        given = ", ".join(f"{name}={_written(value)}" for name, value in self.options.items())
        return f"{self.address}({given})" if given else self.address


Declared = float | Law
LAWS: dict[str, type[Law]] = {
    law.called: law
    for law in (Gaussian, Poisson, PoissonGaussian, Transmission, Rician, Speckle, NoiseMap)
}
KINDS = (
    "a standard deviation from 0, "
    f"{one_of([name for name in LAWS if name != NoiseMap.called])} with options in brackets, a "
    "file of standard deviations, or a law of one's own, FILE.py:NAME"
)


def parse_declared(text: str) -> Declared:
    """The noise that ``text`` says. Raises ``ValueError`` where it says none."""
    try:
        return float(text)
    except ValueError:
        pass
    match = re.fullmatch(r"\s*((?:.+?\.py:)?[^()]*?)\s*(?:\((.*)\))?\s*", text, re.DOTALL)
    name, options = (match[1], match[2] or "") if match else (text.strip(), "")
    if is_address(name) or (name not in LAWS and name in installed("noise")):
        return OwnLaw(name, parse_options(options, f"noise {text!r}"))
    if name not in LAWS and (Path(text).suffix or Path(text).exists()):
        return NoiseMap(text)
    if name not in LAWS:
        raise ValueError(f"`noise` must be auto, {KINDS}, got {text!r}{meant(name, LAWS)}")
    law = _law(name, parse_options(options, f"noise {text!r}"))
    return float(law.sigma) if isinstance(law, Gaussian) else law


def _law(name: str, options: dict[str, Any]) -> Law:
    law, called = LAWS[name], f"noise {name!r}"
    make: Callable[..., Law] = law
    hints = {each.name: ranges.hints(make)[each.name] for each in fields(law)}
    for option, value in options.items():
        if option not in hints:
            near = meant(option, hints)
            raise ValueError(f"{called} has no option {option!r}: it has {', '.join(hints)}{near}")
        ranges.require(value, hints[option], option, called)
    for each in fields(law):
        if each.default is MISSING and each.name not in options:
            example = ", ".join(f"{f.name}=..." for f in fields(law) if f.default is MISSING)
            raise ValueError(f"{called} needs {each.name}: for example '{name}({example})'")
    return make(**options)


def _written(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
