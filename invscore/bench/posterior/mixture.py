"""A mixture of 25 Gaussians seen through few measurements: posteriors of several modes.

The protocol of Cardoso et al. 2023 and Boys et al. 2023: unit covariances, means
(8i, 8j, 8i, 8j, ...) for i, j from -2 to 2; A = U diag(s) V^T with the singular vectors of a
Gaussian matrix and singular values uniform on [0, 1]. The posterior is again a mixture.
"""

from __future__ import annotations

from functools import partial
from itertools import product

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
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.operators import LinearOperator, SpectralOperator, from_matrix
from invscore.priors import GaussianMixturePrior

DIMS, MEASUREMENTS, NOISES = (8, 80, 800), (1, 2, 4), (0.01, 0.1, 1.0)
STANDARD = {(8, 1, 0.1), (80, 2, 0.1), (800, 4, 0.1)}
"""Dimension, number of measurements and noise of the problems that are run where none are
chosen."""


def grid_prior(dim: int) -> GaussianMixturePrior:
    """25 equal components on a grid that is repeated along the axes."""
    places = 8.0 * torch.arange(-2, 3)
    return GaussianMixturePrior(torch.cartesian_prod(places, places).repeat(1, dim // 2), 1.0)


def random_operator(rows: int, dim: int, generator: torch.Generator) -> SpectralOperator:
    """Singular vectors of a Gaussian matrix, singular values uniform on [0, 1], descending."""
    gaussian = torch.randn(rows, dim, generator=generator, dtype=torch.float64)
    u, _, vh = torch.linalg.svd(gaussian, full_matrices=False)
    values = torch.rand(rows, generator=generator, dtype=torch.float64).sort(descending=True).values
    return from_matrix((u * values) @ vh)


def build(seed: int, dim: int, rows: int, noise: float) -> Instance:
    """An operator, an image and its measurement, all drawn anew."""
    prior, likelihood = grid_prior(dim), GaussianNoise(noise)
    operator = random_operator(rows, dim, torch.Generator().manual_seed(seed))
    return known_mixture(prior, operator, likelihood, seed)


def known_mixture(
    prior: GaussianMixturePrior, operator: LinearOperator, noise: GaussianNoise, seed: int
) -> Instance:
    """An image of a mixture and its measurement, judged by its posterior, again a mixture."""
    y = simulate(operator, prior.sample(1, seed), noise, seed)
    problem = InverseProblem(operator, y, noise)
    posterior = exact_posterior(problem, prior)

    def score(samples: Tensor) -> Scores:
        n = len(samples)
        exact = posterior.sample(n, exact_rng(seed, n, "reference"))
        samples = samples.to(exact.dtype)
        # p(k | x, y) = p(k | x): the measurement says nothing more of the mode once x is known.
        weights = prior.responsibilities(samples, 0.0).mean(dim=0)
        slices = torch.Generator().manual_seed(seed)
        return {
            SLICED.name: sliced_wasserstein(samples, exact, slices),
            WEIGHTS.name: total_variation(weights, posterior.weights),
        }

    return Instance(problem, prior, score, mean_floor(score, posterior.sample, seed))


for d, m, s in product(DIMS, MEASUREMENTS, NOISES):
    register(
        Problem(
            name=f"mixture-{d}-{m}-{s:g}",
            what=f"25 Gaussians in {d} dimensions, {m} measured with noise {s:g}",
            dim=d,
            measurements=m,
            noise=s,
            metrics=(SLICED, WEIGHTS),
            samples=1000,
            build=partial(build, dim=d, rows=m, noise=s),
            standard=(d, m, s) in STANDARD,
        )
    )
