"""A Gaussian prior and few measurements: every method marked exact must pass here."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.bench.posterior.metrics import (
    COVARIANCE,
    COVERAGE,
    MARGINALS,
    MEAN,
    VARIANCE,
    gaussian_scores,
    rms,
)
from invscore.bench.posterior.problem import Instance, Problem, Scores, exact_rng, register
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.operators import from_matrix
from invscore.priors import GaussianPrior

DIM, MEASUREMENTS, NOISE = 16, 8, 0.1
CONDITION = 100.0
"""Condition number of the prior's covariance."""


def build(seed: int) -> Instance:
    """Eigenvalues from 1 down to 1 / CONDITION in a random basis; a random operator of norm 1."""
    generator = torch.Generator().manual_seed(seed)

    def randn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    basis = torch.linalg.qr(randn(DIM, DIM)).Q
    eigenvalues = torch.logspace(0, -torch.tensor(CONDITION).log10(), DIM, dtype=torch.float64)
    prior = GaussianPrior(randn(DIM), (basis * eigenvalues) @ basis.T)
    matrix = randn(MEASUREMENTS, DIM)
    operator = from_matrix(matrix / torch.linalg.matrix_norm(matrix, 2))
    noise = GaussianNoise(NOISE)
    y = simulate(operator, prior.sample(1, seed), noise, seed)
    problem = InverseProblem(operator, y, noise)
    posterior = exact_posterior(problem, prior)
    factor = torch.linalg.cholesky(posterior.covariance)

    def score(samples: Tensor) -> Scores:
        scores = gaussian_scores(samples, posterior.mean, posterior.std)
        white = torch.linalg.solve_triangular(factor, torch.cov(samples.T), upper=False)
        white = torch.linalg.solve_triangular(factor, white.T, upper=False)
        error = DIM**0.5 * rms(white - torch.eye(DIM))
        return {**scores, COVARIANCE.name: error}

    def floor(n: int) -> Scores:
        return score(posterior.sample(n, exact_rng(seed, n, "floor")))

    return Instance(problem, prior, score, floor)


register(
    Problem(
        name="gaussian",
        what="Gaussian prior with a random covariance of condition 100, random operator",
        dim=DIM,
        measurements=MEASUREMENTS,
        noise=NOISE,
        metrics=(MARGINALS, MEAN, VARIANCE, COVARIANCE, COVERAGE),
        samples=1000,
        build=build,
    )
)
