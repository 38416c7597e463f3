"""Noise that differs between pixels, as what a measurement of some of them leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from invscore.training.config import TrainConfig

Array = npt.NDArray[np.float64]

MEASURED = (0.005, 0.5)
"""Noise levels of the measurements, in image units, log-uniform between these."""

APART = 0.25
"""Share of images of several channels whose channels are measured at different pixels."""

DIMMEST = 0.01
"""Weight of the pixels that a ramp measures least."""


def noise_maps(
    config: TrainConfig,
    shape: Sequence[int],
    sigma: npt.NDArray[np.float32],
    random: np.random.Generator,
) -> Tensor:
    """Standard deviations of the noise, (b, c, h, w), of images that have the levels ``sigma``.

    A share ``noise.maps`` of the images has been measured besides: pixels of weight m, at a level
    s, know x0 by ``m / s^2 + 1 / sigma^2`` together, the precision of the noise that is left. The
    others' noise is white.
    """
    _, channels, *size = shape
    maps = np.repeat(sigma.astype(float), channels * size[0] * size[1]).reshape(shape)
    for image in np.flatnonzero(random.random(len(maps)) < config.noise.maps):
        s = np.exp(random.uniform(*np.log(MEASURED)))
        apart = channels > 1 and random.random() < APART
        weights = [
            random_weights((size[0], size[1]), random) for _ in range(channels if apart else 1)
        ]
        maps[image] = (np.stack(weights) / s**2 + maps[image] ** -2.0) ** -0.5
    bounded = maps.clip(config.prior.sigma_min, config.prior.sigma_max)
    return torch.from_numpy(bounded.astype(np.float32))


def random_weights(size: tuple[int, int], random: np.random.Generator) -> Array:
    """Random weights with which pixels of an image (h, w) are measured, from 0 to 1."""
    kind = KINDS[random.integers(len(KINDS))]
    weights = kind(size, random)
    return weights if random.random() < 0.5 else 1 - weights


def _pixels(size: tuple[int, int], random: np.random.Generator) -> Array:
    """Independent pixels."""
    return (random.random(size) < random.random()).astype(float)


def _half_plane(size: tuple[int, int], random: np.random.Generator) -> Array:
    """One side of a straight line."""
    return (_along(size, random) < random.random()).astype(float)


def _block(size: tuple[int, int], random: np.random.Generator) -> Array:
    """A rectangle."""
    weights = np.zeros(size)
    ends = [np.sort(random.integers(0, side + 1, size=2)) for side in size]
    weights[ends[0][0] : ends[0][1], ends[1][0] : ends[1][1]] = 1
    return weights


def _lines(size: tuple[int, int], random: np.random.Generator) -> Array:
    """Whole rows or columns, each on its own."""
    across = random.integers(2)
    chosen = (random.random(size[across]) < random.random()).astype(float)
    return np.broadcast_to(chosen[:, None] if across == 0 else chosen, size)


def _stripes(size: tuple[int, int], random: np.random.Generator) -> Array:
    """Stripes at equal distances along one axis, or where stripes along both cross."""
    rows, columns = (_comb(side, random) for side in size)
    kind = random.integers(3)
    return np.outer(rows if kind else np.ones(size[0]), columns if kind != 1 else np.ones(size[1]))


def _ramp(size: tuple[int, int], random: np.random.Generator) -> Array:
    """Everywhere, better and better in one direction."""
    return DIMMEST ** _along(size, random)


def _comb(side: int, random: np.random.Generator) -> Array:
    period = random.integers(2, max(3, side // 3 + 1))
    return (
        (np.arange(side) + random.integers(period)) % period < random.integers(1, period)
    ).astype(float)


def _along(size: tuple[int, int], random: np.random.Generator) -> Array:
    """Positions, from 0 to 1, in a random direction: in half of all cases that of an axis."""
    angle = random.uniform(0, 2 * np.pi)
    if random.random() < 0.5:
        angle = np.pi / 2 * random.integers(4)
    y, x = np.mgrid[: size[0], : size[1]]
    position = np.cos(angle) * x + np.sin(angle) * y
    return (position - position.min()) / max(np.ptp(position), 1e-9)


KINDS: tuple[Callable[[tuple[int, int], np.random.Generator], Array], ...] = (
    _pixels,
    _half_plane,
    _block,
    _lines,
    _stripes,
    _ramp,
)
