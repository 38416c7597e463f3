"""Kernels of cameras that move along a random path while the shutter is open.

A path is a complex vector: columns to the right and rows downwards, in pixels from its centroid.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Path = npt.NDArray[np.complex128]

SPOT = 0.5
"""Standard deviation in pixels of the image of a point at rest."""

POINTS = 8
"""Points of a path for each pixel of its length."""


def shake_kernel(
    size: int = 61, intensity: float = 0.5, seed: int = 0, model: str = "polyline"
) -> Tensor:
    """The trace of a random path at constant speed: float64 (size, size) of sum one.

    ``intensity``, from 0 to 1: 0 is a straight line, 1 the most restless path. ``model``:

    - ``"polyline"``: ``polyline_path``, the "motion blur of size 61 and intensity 0.5" of the
      papers on diffusion posterior sampling. What leaves the square is cut off.
    - ``"inertial"``: ``inertial_path`` of length ``size - 1``, which never leaves the square.

    Unlike the drawn kernels of the papers, a place that is crossed twice is exposed twice. Raises
    ``ValueError`` for another model, an even or too small size, or an intensity out of range.
    """
    if size < 3 or size % 2 == 0:
        raise ValueError(f"`size` must be an odd number of pixels of at least 3, got {size}")
    if not 0 <= intensity <= 1:
        raise ValueError(f"`intensity` must lie in [0, 1], got {intensity}")
    if model not in _MODELS:
        raise ValueError(f"`model` must be one of {', '.join(_MODELS)}, got {model!r}")
    path = _MODELS[model](size, intensity, np.random.default_rng(seed))
    pixels = torch.arange(size, dtype=torch.float64)[:, None] - size // 2
    rows, columns = (_spot(pixels - torch.from_numpy(part)) for part in (path.imag, path.real))
    kernel = rows @ columns.T
    return kernel / kernel.sum()


def polyline_path(size: int, intensity: float, random: np.random.Generator) -> Path:
    """A polyline whose corners turn the more, and the shorter its pieces, the higher ``intensity``.

    The law of the generator of Borodenko ("motionblur", 2020), which Chung et al. 2023 (DPS) and
    their successors use. With d the diagonal of the square: pieces of length
    ``Beta(1, 30) (1.1 - intensity) d`` until ``0.75 d (U(0, 1) + U(0, intensity^2))`` is exceeded;
    headings of at most m = ``U(0, pi intensity)`` from the axis, after the first one triangular on
    [0, m + 0.1] with mode ``intensity m``, and changing sides with probability ``Beta(2, 20)``; all
    turned by ``U(0, pi)``.
    """
    diagonal = math.sqrt(2) * size
    goal = 0.75 * diagonal * (random.uniform() + random.uniform(0, intensity**2))
    unit = (1.1 - intensity) * diagonal
    # Beta(1, 30) by the inverse of its distribution function, given that the piece is below goal.
    below = 1 - (1 - min(goal / unit, 1)) ** 30
    pieces = np.zeros(0)
    while pieces.sum() < goal:
        more = unit * (1 - (1 - below * random.uniform(size=64)) ** (1 / 30))
        pieces = np.concatenate([pieces, more])
    pieces = pieces[: 1 + np.searchsorted(pieces.cumsum(), goal)]
    limit, change = random.uniform(0, intensity * math.pi), random.beta(2, 20)
    first, others = random.uniform(-limit, limit), len(pieces) - 1
    sides = np.where(random.uniform(size=others) < change, -1, 1).cumprod()
    sizes = random.triangular(0, intensity * limit, limit + 0.1, size=others)
    headings = np.concatenate([[first], math.copysign(1, first) * sides * sizes])
    corners: Path = np.cumsum(pieces * np.exp(1j * headings))
    return _centred(_along(corners)) * np.exp(1j * random.uniform(0, math.pi))


def inertial_path(size: int, intensity: float, random: np.random.Generator) -> Path:
    """A particle of constant speed pushed at random and pulled back to where it began.

    Boracchi & Foi 2012, Sec. V, with ``intensity`` their anxiety a, of which 0.005 is already
    restless: at each of 2000 steps of length l, the velocity changes by ``a l (g n - c x)``, n
    complex white noise, g in U(0, 10), c in U(0, 0.7), and, with probability ``a U(0, 0.2)``, by
    twice itself turned round by ``pi + U(-0.5, 0.5)``; then its length becomes l again.
    """
    steps = 2000
    pull, push, shock = random.uniform(0, (0.7, 10.0, 0.2))
    step = (size - 1) / (steps - 1)
    velocity = complex(np.exp(2j * math.pi * random.uniform())) * (intensity or step)
    noise = random.standard_normal((steps, 2)) @ (1, 1j)
    shocked = random.uniform(size=steps) < shock * intensity
    turns = 2 * np.exp(1j * (math.pi + random.uniform(-0.5, 0.5, steps)))
    path = np.zeros(steps, dtype=np.complex128)
    for t in range(steps - 1):
        kick = turns[t] * velocity if shocked[t] else 0
        velocity += kick + intensity * step * (push * noise[t] - pull * path[t])
        velocity *= step / abs(velocity)
        path[t + 1] = path[t] + velocity
    return _centred(path)


_MODELS: dict[str, Callable[[int, float, np.random.Generator], Path]] = {
    "polyline": polyline_path,
    "inertial": inertial_path,
}


def _along(corners: Path) -> Path:
    """Points at equal distances on the line through ``corners``."""
    walked = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(corners)))])
    points = 1 + math.ceil(POINTS * walked[-1])
    stops = (np.arange(points) + 0.5) / points * walked[-1]
    return np.interp(stops, walked, corners)


def _centred(path: Path) -> Path:
    return path - path.mean()


def _spot(distance: Tensor) -> Tensor:
    profile = torch.exp(-0.5 * (distance / SPOT) ** 2)
    return torch.where(distance.abs() < 5 * SPOT, profile, 0.0)
