"""Nonlinear measurements of a point in the plane: the posterior by quadrature."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from invscore.bench.posterior.metrics import (
    SLICED,
    WEIGHTS,
    sliced_wasserstein,
    total_variation,
)
from invscore.bench.posterior.problem import (
    Instance,
    Problem,
    Scores,
    exact_rng,
    mean_floor,
    register,
)
from invscore.bench.posterior.quadrature import Quadrature
from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.operators import NonlinearOperator
from invscore.priors import GaussianMixturePrior

NOISE = 0.2
REACH, CELLS = 7.0, 700


class Magnitudes(NonlinearOperator):
    """``y = |A x|``, phase retrieval with real numbers; two rows at angles ``angle +- 35`` degrees.

    Four points of the plane explain a measurement without noise.
    """

    in_shape = out_shape = (2,)

    def __init__(self, angle: float) -> None:
        directions = [angle + math.radians(turn) for turn in (-35, 35)]
        self.rows = [(math.cos(a), math.sin(a)) for a in directions]

    def __call__(self, x: Tensor) -> Tensor:
        return torch.stack([a * x[:, 0] + b * x[:, 1] for a, b in self.rows], dim=1).abs()


class Banana(NonlinearOperator):
    """``y = u_2 + u_1^2 / 2``, u the point in axes turned by ``angle``: its level sets are bent."""

    in_shape, out_shape = (2,), (1,)

    def __init__(self, angle: float) -> None:
        self.cos, self.sin = math.cos(angle), math.sin(angle)

    def __call__(self, x: Tensor) -> Tensor:
        along = self.cos * x[:, :1] + self.sin * x[:, 1:]
        across = self.cos * x[:, 1:] - self.sin * x[:, :1]
        return across + 0.5 * along**2


KINDS: dict[str, tuple[type[Magnitudes] | type[Banana], str, int]] = {
    "phase": (Magnitudes, "two magnitudes |a . x|", 2),
    "banana": (Banana, "a linear plus a squared coordinate", 1),
}


def plane_prior() -> GaussianMixturePrior:
    """Four oblong components of different weights, one around each quadrant's middle."""
    means = torch.tensor([[2.0, 1.0], [-2.0, 1.5], [-1.0, -2.0], [1.5, -1.5]])
    tilts = torch.tensor([0.2, -0.1, 0.15, 0.0])
    covariances = torch.diag_embed(torch.tensor([0.4, 0.25]).expand(4, 2))
    covariances[:, 0, 1] = covariances[:, 1, 0] = tilts
    return GaussianMixturePrior(means, covariances, torch.tensor([0.4, 0.3, 0.2, 0.1]))


def posterior_of(problem: InverseProblem, prior: GaussianMixturePrior) -> Quadrature:
    """The posterior of a point in the plane given one measurement."""
    double = prior.to(dtype=torch.float64)

    def log_density(points: Tensor) -> Tensor:
        everywhere = problem.select(torch.zeros(len(points), dtype=torch.long))
        return double.log_prob(points) + everywhere.log_likelihood(points)

    return Quadrature.of(log_density, REACH, CELLS)


def build(seed: int, kind: str) -> Instance:
    """A measurement in a random direction, ``kind`` of ``KINDS``."""
    prior, noise = plane_prior(), GaussianNoise(NOISE)
    generator = torch.Generator().manual_seed(seed)
    operator = KINDS[kind][0](2 * math.pi * float(torch.rand((), generator=generator)))
    y = simulate(operator, prior.sample(1, seed), noise, seed)
    problem = InverseProblem(operator, y, noise)
    posterior = posterior_of(problem, prior)
    double = prior.to(dtype=torch.float64)
    masses = posterior.expectation(double.responsibilities(posterior.points, 0.0))

    def score(samples: Tensor) -> Scores:
        n, samples = len(samples), samples.double()
        exact = posterior.sample(n, exact_rng(seed, n, "reference"))
        weights = double.responsibilities(samples, 0.0).mean(dim=0)
        slices = torch.Generator().manual_seed(seed)
        return {
            SLICED.name: sliced_wasserstein(samples, exact, slices),
            WEIGHTS.name: total_variation(weights, masses),
        }

    return Instance(problem, prior, score, mean_floor(score, posterior.sample, seed))


for name, (_, measured, numbers) in KINDS.items():
    register(
        Problem(
            name=f"nonlinear-{name}",
            what=f"four Gaussians in the plane, known by {measured}",
            dim=2,
            measurements=numbers,
            noise=NOISE,
            metrics=(SLICED, WEIGHTS),
            samples=1000,
            build=partial(build, kind=name),
        )
    )
