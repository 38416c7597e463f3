"""Sequential Monte Carlo against posteriors in closed form and by quadrature."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from invscore import reconstruct
from invscore.bench.posterior import pixels
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, Noise, PoissonNoise
from invscore.methods.particles.twisting import general_twist, linear_twist, log_volume
from invscore.operators import Identity, LinearOperator, from_function, from_matrix
from invscore.priors import GaussianMixturePrior, GaussianPrior, Prior

F64 = torch.float64
A = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, -0.8]], dtype=F64)
Y = torch.tensor([[0.9, -0.4]], dtype=F64)
MEAN = torch.tensor([0.5, -0.2, 0.1], dtype=F64)
COVARIANCE = torch.tensor([[0.6, 0.3, 0.0], [0.3, 0.5, -0.1], [0.0, -0.1, 0.4]], dtype=F64)
PARTICLES = 2000


def draw(problem: InverseProblem, prior: Prior, **options: Any) -> Tensor:
    chosen = {"samples": PARTICLES, "particles": PARTICLES, "at_once": PARTICLES, **options}
    return reconstruct(problem, prior, method="smc", **chosen).samples[:, 0]


@pytest.mark.parametrize("kind", ["square", "exp"])
def test_steep_operators_do_not_diverge(kind: str) -> None:
    """At the prior's mean a square is flat: nothing there tells how steep it is elsewhere."""
    instance = pixels.build(0, kind)
    found = reconstruct(
        instance.problem, instance.prior, method="smc", samples=50, particles=50, steps=20
    ).samples
    assert found.isfinite().all()
    floor = instance.floor(50)[pixels.MARGINAL.name]
    assert instance.score(found[:, 0])[pixels.MARGINAL.name] < 8 * floor  # 70 and more before


def test_what_overflows_is_unlikely() -> None:
    steep = from_function(torch.exp, (1,), linear=False)
    x = torch.tensor([[1000.0], [1.0]], dtype=F64)
    problem = InverseProblem(steep, torch.ones(2, 1, dtype=F64), GaussianNoise(0.1))
    prior = GaussianPrior(torch.zeros(1, dtype=F64), 1.0)
    _, pull = prior.pullback(x, 0.5)
    potential, gradient = general_twist(problem, prior, torch.ones(2, 1, dtype=F64), x, pull, 0.5)
    assert potential.isfinite().all()
    assert gradient.isfinite().all()
    assert float(potential[0]) < -1e20 < float(potential[1])


def test_gaussian_prior() -> None:
    prior = GaussianPrior(MEAN, COVARIANCE)
    problem = InverseProblem(from_matrix(A), Y, GaussianNoise(0.2))
    x, posterior = draw(problem, prior), exact_posterior(problem, prior)
    deviations = posterior.covariance.diagonal().sqrt()
    # Resampling costs independence: as good as a third of the particles, and discretisation.
    count = PARTICLES / 3
    assert ((x.mean(dim=0) - posterior.mean).abs() < (4 / count**0.5 + 0.02) * deviations).all()
    difference = (torch.cov(x.T) - posterior.covariance) / (deviations[:, None] * deviations)
    assert (difference.abs() < 4 * (2 / count) ** 0.5 + 0.05).all()


def test_weights_of_modes() -> None:
    """Three modes, one of which the measurement rules out."""
    means = torch.tensor([[4.0, 0.0], [-4.0, 0.0], [0.0, 4.0]], dtype=F64)
    prior = GaussianMixturePrior(means, 0.5, torch.tensor([0.6, 0.2, 0.2], dtype=F64))
    operator = from_matrix(torch.tensor([[0.1, 0.7]], dtype=F64))
    problem = InverseProblem(operator, torch.tensor([[0.2]], dtype=F64), GaussianNoise(0.3))
    x, posterior = draw(problem, prior), exact_posterior(problem, prior)
    found = posterior.responsibilities(x, 0.0).mean(dim=0)
    assert ((found - posterior.weights).abs() < 0.06).all(), (found, posterior.weights)


@pytest.mark.parametrize("noise", [GaussianNoise(0.3), PoissonNoise(12.0)])
def test_nonlinear_problems(noise: Noise) -> None:
    bend = from_function(lambda x: x**2 + 0.5 * x + 0.3, (1,), linear=False)
    prior = GaussianPrior(torch.full((1,), 0.2, dtype=F64), 0.4)
    problem = InverseProblem(bend, torch.full((1, 1), 1.0, dtype=F64), noise)
    x = draw(problem, prior, steps=100)
    grid = torch.linspace(-4, 4, 4001, dtype=F64)[:, None]
    likelihood = problem.select(torch.zeros(4001, dtype=torch.long)).log_likelihood(grid)
    weight = (likelihood + prior.log_prob(grid)).softmax(dim=0)
    below = weight.cumsum(0)
    for point in (0, 1200, 1900, 2150, 2350):
        found = (x[:, 0] <= grid[point, 0]).double().mean()
        assert abs(found - below[point]) < 0.06, float(grid[point, 0])


def test_a_perfect_twist_keeps_all_particles() -> None:
    """White prior, identity: psi is p(y | x) exactly, and no weight, so no particle, is lost."""
    prior = GaussianPrior(torch.zeros(2, dtype=F64), 1.0)
    y = torch.tensor([[1.5, -0.5]], dtype=F64)
    problem = InverseProblem(Identity((2,)), y, GaussianNoise(0.5))
    x = draw(problem, prior, samples=500, particles=500, steps=100)
    assert len(x.unique(dim=0)) > 430
    told = reconstruct(problem, prior, method="smc", particles=100, steps=100).trace
    assert len(told["effective_sample_size"]) == 100
    assert min(told["effective_sample_size"]) > 85


def test_few_samples_are_not_one_family() -> None:
    prior = GaussianPrior(MEAN, COVARIANCE)
    problem = InverseProblem(from_matrix(A), Y, GaussianNoise(0.2))
    result = reconstruct(problem, prior, method="smc", samples=6, particles=60, steps=40)
    assert len(result.samples[:, 0].unique(dim=0)) >= 4
    assert result.evaluations == pytest.approx(40 * 60 / 6)
    assert result.jacobian_products <= 40 * 60 / 6


def test_particles_in_parts() -> None:
    prior = GaussianPrior(MEAN, COVARIANCE)
    problem = InverseProblem(from_matrix(A), Y.expand(2, -1), GaussianNoise(0.2))
    options = {"method": "smc", "samples": 5, "seed": 3, "particles": 6, "steps": 8}
    whole = reconstruct(problem, prior, **options)
    parts = reconstruct(problem, prior, at_once=4, **options)
    torch.testing.assert_close(whole.samples, parts.samples, rtol=1e-8, atol=1e-8)


class NoSVD(LinearOperator):
    in_shape, out_shape = (3,), (2,)

    def matvec(self, x: Tensor) -> Tensor:
        return x @ A.T

    def rmatvec(self, y: Tensor) -> Tensor:
        return y @ A


def test_the_twist_is_the_density_that_it_says() -> None:
    """An isotropic prior: N(y; A D, s^2 I + r^2 A A^T), its gradient in x included."""
    prior, sigma, s = GaussianPrior(MEAN, 0.7), 0.9, 0.2
    problem = InverseProblem(from_matrix(A), Y, GaussianNoise(s))
    x = torch.tensor([[0.3, 1.1, -0.6]], dtype=F64, requires_grad=True)
    covariance = s**2 * torch.eye(2, dtype=F64) + 0.7 * sigma**2 / (0.7 + sigma**2) * A @ A.T
    residual = Y - prior.denoise(x, sigma) @ A.T
    expected = -0.5 * (residual @ torch.linalg.inv(covariance) @ residual.T)[0, 0]
    expected = expected - 0.5 * torch.logdet(covariance)
    (slope,) = torch.autograd.grad(expected, x)
    denoised, pull = prior.pullback(x.detach(), sigma)
    potential, gradient = linear_twist(problem, prior, denoised, pull, sigma)
    torch.testing.assert_close(potential[0], expected.detach())
    torch.testing.assert_close(gradient, slope)


def test_log_volume() -> None:
    variance, width = torch.tensor([0.3, 0.5], dtype=F64), torch.tensor([0.7, 0.2], dtype=F64)
    found = log_volume(from_matrix(A), Y.expand(2, -1), variance, width)
    for i in range(2):
        matrix = variance[i] * torch.eye(2, dtype=F64) + width[i] * A @ A.T
        torch.testing.assert_close(found[i], torch.logdet(matrix))
    rough = log_volume(NoSVD(), Y.expand(2, -1), variance, width)
    assert ((rough - found).abs() < 0.7).all()
