"""Measurements of many numbers that leave several modes open, or a covariance of low rank.

Images of 16 x 16 pixels, and 200 numbers of which 100 are measured: too many for particles whose
weights are those of the likelihood, and hidden in the null space is what tells the modes apart. The
posteriors are again mixtures.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from invscore.bench.posterior.metrics import SLICED, WEIGHTS
from invscore.bench.posterior.mixture import known_mixture
from invscore.bench.posterior.problem import Instance, Problem, register
from invscore.likelihood import GaussianNoise
from invscore.operators import Blur, Inpainting, LinearOperator, from_matrix
from invscore.priors import GaussianMixturePrior

SIDE = 16
SHAPE = (1, SIDE, SIDE)
RANK, NUMBERS, MEASURED = 10, 200, 100
NOISE, WIDTH = 0.05, 0.3

Setting = tuple[GaussianMixturePrior, LinearOperator]


def _randn(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def hidden_half(generator: torch.Generator) -> Setting:
    """The upper half is measured and is the same in all modes."""
    seen = _randn(generator, 1, 1, SIDE // 2, SIDE).expand(4, -1, -1, -1)
    hidden = _randn(generator, 4, 1, SIDE // 2, SIDE)
    weights = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    prior = GaussianMixturePrior(torch.cat([seen, hidden], dim=2), WIDTH**2, weights)
    rows = torch.arange(SIDE)[:, None].expand(SIDE, SIDE)
    return prior, Inpainting(rows < SIDE // 2, SHAPE)


def hidden_checkers(generator: torch.Generator) -> Setting:
    """A blur takes away by what the two modes differ, a checkerboard."""
    line = (-1.0) ** torch.arange(SIDE, dtype=torch.float64)
    board = line[:, None] * line
    means = WIDTH * _randn(generator, 1, *SHAPE) + torch.stack([board, -board])[:, None]
    prior = GaussianMixturePrior(means, WIDTH**2, torch.tensor([0.15, 0.85], dtype=torch.float64))
    return prior, Blur.gaussian(sigma=1.2, in_shape=SHAPE, boundary="circular")


def unequal_widths(generator: torch.Generator) -> Setting:
    """A narrow and a wide mode that agree on the half of the pixels that is measured."""
    hidden = torch.rand(SIDE, SIDE, generator=generator) < 0.5
    means = 0.5 * _randn(generator, 2, *SHAPE)
    means[1] = torch.where(hidden, means[1], means[0])
    widths = torch.where(hidden.flatten(), torch.tensor([[0.1], [0.6]], dtype=torch.float64), WIDTH)
    weights = torch.tensor([0.3, 0.7], dtype=torch.float64)
    return GaussianMixturePrior(means, widths**2, weights), Inpainting(~hidden, SHAPE)


def low_rank(generator: torch.Generator) -> Setting:
    """Two modes that vary in a few directions of their own, and hardly in any other."""
    means = _randn(generator, 2, NUMBERS)
    factors = _randn(generator, 2, NUMBERS, RANK)
    covariances = factors @ factors.mT / RANK + 0.01 * torch.eye(NUMBERS, dtype=torch.float64)
    matrix = _randn(generator, MEASURED, NUMBERS) / NUMBERS**0.5
    return GaussianMixturePrior(means, covariances), from_matrix(matrix)


KINDS: dict[str, tuple[Callable[[torch.Generator], Setting], str, int, int]] = {
    "modes-half": (
        hidden_half,
        "16 x 16 pixels of which half are hidden, with four continuations",
        SIDE**2,
        SIDE**2 // 2,
    ),
    "modes-blur": (
        hidden_checkers,
        "16 x 16 pixels, blurred, with a checkerboard of either sign that the blur takes away",
        SIDE**2,
        SIDE**2,
    ),
    "modes-widths": (
        unequal_widths,
        "16 x 16 pixels of which half are hidden, in a narrow or a wide mode",
        SIDE**2,
        SIDE**2 // 2,
    ),
    "lowrank": (
        low_rank,
        "200 numbers in two modes of 10 directions each, 100 random combinations measured",
        NUMBERS,
        MEASURED,
    ),
}

MANY = 128
"""Most measurements of the problems that are run where none are chosen, as on the page."""


def build(seed: int, kind: str) -> Instance:
    """A prior, an image and its measurement, all drawn anew."""
    prior, operator = KINDS[kind][0](torch.Generator().manual_seed(seed))
    return known_mixture(prior, operator, GaussianNoise(NOISE), seed)


for name, (_, what, dim, measurements) in KINDS.items():
    register(
        Problem(
            name=name,
            what=what,
            dim=dim,
            measurements=measurements,
            noise=NOISE,
            metrics=(SLICED, WEIGHTS),
            samples=1000,
            build=partial(build, kind=name),
            standard=measurements <= MANY,
        )
    )
