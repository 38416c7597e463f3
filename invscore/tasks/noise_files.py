"""Files that say what is known of the noise in each number: deviations, counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from invscore.readers import as_numbers, pick, read
from invscore.tasks.noises import NoiseMap

NAMES = ("noise", "std", "sigma", "uncertainty", "error")
"""Names of arrays of standard deviations in a file of several."""

WORDS = {"std": "standard deviation", "variance": "variance", "weights": "weight"}


def read_noise_map(declared: NoiseMap, out_shape: tuple[int, ...]) -> Tensor:
    """The standard deviations of a measurement of ``out_shape``, as float64.

    (h, w) serves all channels alike. Raises ``ValueError`` for another shape, for complex or
    negative numbers, and where none of them is a positive number.
    """
    name = f"the noise map {declared.file!r}"
    found = _numbers(declared.file, declared.key, "noise map", name, out_shape)
    what = WORDS[declared.holds]
    if bool((found < 0).any()):
        lowest = float(found[found < 0].min())
        raise ValueError(f"{name} must hold {what}s from 0, got {lowest:g}")
    if not bool((found.isfinite() & (found > 0)).any()):
        raise ValueError(f"{name} must hold a positive finite {what} somewhere, got none")
    return {"std": found, "variance": found.sqrt(), "weights": found.rsqrt()}[declared.holds]


def read_counts(value: float | str, what: str, out_shape: tuple[int, ...]) -> float | Tensor:
    """``value`` itself where it is a number, or the finite counts from 0 in that file, float32."""
    if not isinstance(value, str):
        return value
    name = f"the {what} {value!r}"
    found = _numbers(value, None, what, name, out_shape)
    if not bool((found.isfinite() & (found >= 0)).all()):
        raise ValueError(f"{name} must hold finite counts from 0, got {float(found.min()):g}")
    return found.float()


def _numbers(
    file: str, key: str | None, what: str, name: str, out_shape: tuple[int, ...]
) -> Tensor:
    try:
        recording = pick(read(Path(file), key, NAMES), name)
    except ValueError as error:
        raise ValueError(f"{what} {error}") from error
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
    return found
