"""The posteriors that the bench computes itself, against ``exact_posterior``."""

from __future__ import annotations

import torch

from invscore.bench.posterior.data_space import DataSpace
from invscore.bench.posterior.nonlinear import KINDS, plane_prior, posterior_of
from invscore.bench.posterior.quadrature import Quadrature
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.operators import Blur, Inpainting, LinearOperator, check_operator, from_matrix
from invscore.priors import GaussianPrior, StationaryGaussianPrior
from invscore.rng import sample_rng

F64 = torch.float64
SHAPE = (1, 8, 6)


def test_data_space_agrees_with_the_exact_posterior() -> None:
    prior = StationaryGaussianPrior.power_law(SHAPE, mean=0.4, dtype=F64)
    operators: list[LinearOperator] = [
        Inpainting.random(SHAPE, keep=0.4),
        Blur.gaussian(0.7, SHAPE, boundary="valid", size=3),
    ]
    for operator in operators:
        noise = GaussianNoise(0.3)
        y = simulate(operator, prior.sample(1, 0), noise, 0)
        space = DataSpace(operator, prior, 0.3)
        posterior = exact_posterior(InverseProblem(operator, y, noise), prior)
        assert isinstance(posterior, GaussianPrior)
        torch.testing.assert_close(space.mean(y), posterior.mean)
        torch.testing.assert_close(space.std(), posterior.std)
        n = 4000
        x = space.sample(y, sample_rng(0, n, "a test"), n).flatten(1)
        white = torch.linalg.solve_triangular(
            torch.linalg.cholesky(posterior.covariance),
            (x - posterior.mean.flatten()).T,
            upper=False,
        )
        assert float(white.mean(dim=1).abs().max()) < 4.5 / n**0.5
        errors = (torch.cov(white) - torch.eye(len(white))).abs() / 2**0.5
        assert float(errors.max()) < 4.5 / n**0.5


def test_quadrature_of_a_gaussian() -> None:
    covariance = torch.tensor([[0.5, 0.2], [0.2, 0.3]], dtype=F64)
    prior = GaussianPrior(torch.tensor([0.7, -0.4], dtype=F64), covariance)
    grid = Quadrature.of(prior.log_prob, reach=5.0, cells=60)
    mean = grid.expectation(grid.points)
    torch.testing.assert_close(mean, prior.mean)
    second = (grid.masses[:, None] * (grid.points - mean)).T @ (grid.points - mean)
    torch.testing.assert_close(second, covariance)
    n = 4000
    x = grid.sample(n, sample_rng(3, n, "a test"))
    assert ((x.mean(dim=0) - mean).abs() < 4.5 * (covariance.diag() / n).sqrt()).all()
    scale = covariance.diag().sqrt().outer(covariance.diag().sqrt())
    assert ((torch.cov(x.T) - covariance).abs() / scale < 4.5 * (2 / n) ** 0.5).all()
    assert len(x.unique(dim=0)) == n  # places within a cell differ


def test_quadrature_agrees_with_a_mixture_posterior() -> None:
    """For a linear measurement the posterior's weights are known in closed form."""
    prior = plane_prior()
    operator = from_matrix(torch.tensor([[0.8, -0.5]]))
    problem = InverseProblem(operator, torch.tensor([[0.6]]), GaussianNoise(0.2))
    posterior, grid = exact_posterior(problem, prior), posterior_of(problem, prior)
    double = prior.to(dtype=F64)
    masses = grid.expectation(double.responsibilities(grid.points, 0.0))
    torch.testing.assert_close(masses, posterior.weights.double(), rtol=1e-4, atol=1e-6)
    mean = grid.expectation(grid.points)
    torch.testing.assert_close(mean, posterior.mean.double(), rtol=1e-4, atol=1e-5)


def test_nonlinear_operators_keep_the_contract() -> None:
    for operator, _, numbers in KINDS.values():
        check_operator(operator(0.4)).raise_if_failed()
        assert operator(0.4).out_shape == (numbers,)
    magnitudes, banana = KINDS["phase"][0](0.4), KINDS["banana"][0](torch.pi / 2)
    point = torch.tensor([[0.3, -1.2]])
    torch.testing.assert_close(magnitudes(point), magnitudes(-point))
    # Turned by a quarter, the axes of the banana are (x_2, -x_1).
    torch.testing.assert_close(banana(point), torch.tensor([[-0.3 + 0.5 * 1.2**2]]))
