"""Settings that ``reconstruct`` takes from a calibration where the command line is silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from invscore.calibration.record import Calibration
from invscore.methods import METHODS


@dataclass(frozen=True)
class Choices:
    """Options that a calibration may decide: None where the command line is silent."""

    method: str | None
    options: Mapping[str, Any]
    samples: int | None
    noise: float | None
    scale: float | Literal["auto"] | None


def adopted(calibration: Calibration, said: Choices) -> tuple[Choices, str]:
    """``said``, and where it is silent what the calibration was made with, which the words tell.

    What was said is kept, right or wrong: ``Calibration.require`` refuses what does not fit.
    """
    made = calibration.setting
    method = said.method or made.get("method")
    same = method == made.get("method") and method in METHODS
    known = METHODS[str(method)].defaults if same else {}
    options = {k: _tuples(v) for k, v in dict(made.get("options", {})).items() if k in known}
    found = Choices(
        method=method,
        options={**options, **said.options},
        samples=made.get("samples") if said.samples is None else said.samples,
        noise=made.get("noise") if said.noise is None else said.noise,
        scale=made.get("scale") if said.scale is None else said.scale,
    )
    taken = {
        key: getattr(found, key)
        for key in ("method", "samples", "noise", "scale")
        if getattr(said, key) is None and getattr(found, key) not in (None, "auto")
    }
    taken |= {k: v for k, v in options.items() if k not in said.options and v != known[k]}
    return found, ", ".join(f"{key} {value}" for key, value in taken.items())


def _tuples(value: Any) -> Any:
    """Lists of a file as the tuples that they were."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
