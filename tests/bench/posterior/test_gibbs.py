"""The Gibbs sampler and the exact denoiser, against closed forms, quadrature and themselves."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore.bench.posterior.gibbs import sample_increments
from invscore.bench.posterior.levy_chain import Walk
from invscore.bench.posterior.levy_laws import LAWS, BernoulliLaplace, Law
from invscore.bench.posterior.levy_prior import LevyPrior, median_power
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import from_matrix
from invscore.priors import GaussianPrior

F64 = torch.float64


def sums(d: int) -> Tensor:
    return torch.tril(torch.ones(d, d, dtype=F64))


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def quadrature(law: Law, matrix: Tensor, y: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    """Mean and covariance of two increments, by the midpoint rule and over jumps or none."""
    axis, width = torch.linspace(-20, 20, 1501, dtype=F64)[:-1] + 1 / 75, 2 / 75
    still = torch.zeros(1, dtype=F64)
    points, logs = [], []
    for jumped in itertools.product([True, False] if law.jumps < 1 else [True], repeat=2):
        u = torch.cartesian_prod(*(axis if jump else still for jump in jumped))
        points.append(u)
        logs.append(law.log_density(u).sum(dim=1) + sum(jumped) * math.log(width))
    u = torch.cat(points)
    misfit = (y - u @ matrix.T).square().sum(dim=1) / noise**2
    masses = (torch.cat(logs) - 0.5 * misfit).softmax(dim=0)
    mean = masses @ u
    return mean, (masses[:, None] * (u - mean)).T @ (u - mean)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("noise", [0.3, 1.5])
def test_two_increments_against_quadrature(name: str, noise: float) -> None:
    matrix = torch.tensor([[1.0, 0.4], [0.3, -0.8]], dtype=F64)
    y = torch.tensor([1.3, -0.6], dtype=F64)
    mean, covariance = quadrature(LAWS[name], matrix, y, noise)
    draws = sample_increments(
        LAWS[name], matrix, y, noise, chains=1500, burn_in=15, steps=10, seed=0
    )
    away = draws.increments - mean
    products = away[..., :, None] * away[..., None, :]
    for found, exact in ((draws.increments, mean), (draws.means, mean), (products, covariance)):
        of_chains = found.mean(dim=0)
        error = of_chains.std(dim=0) / len(of_chains) ** 0.5
        assert ((of_chains.mean(dim=0) - exact).abs() < 4.5 * error + 1e-6).all()


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("sigma", [0.3, 1.5])
def test_the_denoiser_against_quadrature(name: str, sigma: float) -> None:
    y = torch.tensor([1.3, 1.7], dtype=F64)
    mean, covariance = quadrature(LAWS[name], sums(2), y, sigma)
    prior = LevyPrior(LAWS[name], 2, chains=2000, burn_in=10, steps=8)
    denoised, pull = prior.pullback(y.reshape(1, 1, 1, 2), sigma)
    spread = sums(2) @ covariance @ sums(2).T
    error = 0.015 * float(spread.diag().max().sqrt())
    torch.testing.assert_close(denoised.flatten(), sums(2) @ mean, rtol=0, atol=error)
    columns = [pull(unit.reshape(1, 1, 1, 2)).flatten() for unit in torch.eye(2, dtype=F64)]
    found = sigma**2 * torch.stack(columns)
    torch.testing.assert_close(found, spread, rtol=0, atol=0.03 * float(spread.max()))


def test_the_gaussian_process_in_closed_form() -> None:
    d, noise, matrix = 6, 0.4, randn(4, 6)
    prior = GaussianPrior(torch.zeros(d, dtype=F64), 0.25 * sums(d) @ sums(d).T)
    y = randn(4, seed=1)
    problem = InverseProblem(from_matrix(matrix), y[None], GaussianNoise(noise))
    posterior = exact_posterior(problem, prior)
    draws = sample_increments(
        LAWS["gauss"], matrix @ sums(d), y, noise, chains=4000, burn_in=0, steps=1, seed=0
    )
    torch.testing.assert_close(draws.means[0, 7].cumsum(dim=0), posterior.mean)
    x = draws.increments[0].cumsum(dim=1)
    factor = torch.linalg.cholesky(posterior.covariance)
    white = torch.linalg.solve_triangular(factor, (x - posterior.mean).T, upper=False)
    assert float(white.mean(dim=1).abs().max()) < 4.5 / 4000**0.5
    assert float((torch.cov(white) - torch.eye(d)).abs().max()) < 4.5 * (2 / 4000) ** 0.5


def test_the_gaussian_denoiser_in_closed_form() -> None:
    d, sigma = 5, torch.tensor([0.3, 2.0], dtype=F64)
    closed = GaussianPrior(torch.zeros(1, 1, d, dtype=F64), 0.25 * sums(d) @ sums(d).T)
    prior = LevyPrior(LAWS["gauss"], d, chains=1, burn_in=0, steps=1)
    x, u = randn(2, 1, 1, d), randn(2, 1, 1, d, seed=1)
    denoised, pull = prior.pullback(x, sigma)
    expected, pull_closed = closed.pullback(x, sigma)
    torch.testing.assert_close(denoised, expected)
    torch.testing.assert_close(pull(u), pull_closed(u))
    torch.testing.assert_close(prior.denoise(x, sigma), expected)
    assert prior.variance == pytest.approx(closed.variance)
    single = prior.denoise(x.float(), 0.0)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single, x.float())


def test_draws_of_a_walk() -> None:
    """Steps of variance 0 stand still; the law is that of a Gaussian given its noisy values."""
    variances = torch.tensor([0.0, 0.5, 0.0, 2.0], dtype=F64)
    root = sums(4) * variances.sqrt()
    n, y = 20_000, randn(4, seed=2)
    walk = Walk.of(variances[:, None].expand(4, n))
    x = walk.sample(y[:, None], randn(4, n))
    prior = root @ root.T
    gain = prior @ torch.linalg.inv(prior + torch.eye(4, dtype=F64))
    torch.testing.assert_close(walk.mean(y[:, None])[:, 0], gain @ y)
    assert ((x.mean(dim=1) - gain @ y).abs() < 4.5 * (gain.diag() / n).sqrt() + 1e-12).all()
    torch.testing.assert_close(torch.cov(x), gain, rtol=0, atol=0.02)
    torch.testing.assert_close(x[1], x[2])


def test_jumps_are_found_by_both_samplers() -> None:
    """Each chain a measurement of its own by one sampler, an image of its own by the other."""
    law, d, sigma = BernoulliLaplace(0.2, 1.0), 12, 0.25
    prior = LevyPrior(law, d, chains=200, burn_in=10, steps=10)
    x = prior.sample(4, seed=3)
    y = x + sigma * randn(*x.shape)
    denoised = prior.denoise(y, sigma)
    repeated = y.repeat_interleave(100, dim=0)
    draws = sample_increments(
        law, sums(d), repeated, sigma, chains=400, burn_in=20, steps=20, seed=0
    )
    means = draws.means.cumsum(dim=-1).mean(dim=0).reshape(4, 100, d).mean(dim=1)
    away = (denoised - means).square().mean().sqrt()
    assert float(away) < 0.08 * float((denoised - y).square().mean().sqrt())


@pytest.mark.parametrize("name", ["laplace", "bernoulli", "student1"])
def test_ranks_of_the_truth_are_uniform(name: str) -> None:
    """Simulation-based calibration (Talts et al. 2018) of the sampler, one signal a chain."""
    law, d, noise, trials, steps = LAWS[name], 5, 0.5, 600, 9
    random = np.random.default_rng(5)
    matrix = randn(4, d)
    u = law.sample((trials, d), random)
    y = u @ matrix.T + noise * torch.from_numpy(random.standard_normal((trials, 4)))
    draws = sample_increments(
        law, matrix, y, noise, chains=trials, burn_in=30, steps=6 * steps, seed=0
    )
    thin = draws.increments[5::6]
    ties = torch.from_numpy(random.random((steps + 1, trials)))  # where nothing jumped
    for direction in (torch.ones(d, dtype=F64), torch.eye(d, dtype=F64)[2]):
        truth, drawn = u @ direction, thin @ direction
        below = (drawn < truth) | ((drawn == truth) & (ties[1:] < ties[0]))
        counts = torch.bincount(below.sum(dim=0), minlength=steps + 1).double()
        expected = trials / (steps + 1)
        assert float(((counts - expected) ** 2 / expected).sum()) < 27.9  # 0.1 % of chi2(9)


def test_denoised_images_do_not_know_their_neighbours() -> None:
    prior = LevyPrior(LAWS["bernoulli"], 16)
    x, sigma = randn(3, 1, 4, 4), torch.tensor([0.1, 1.0, 5.0], dtype=F64)
    together = prior.denoise(x, sigma)
    for k in range(3):
        torch.testing.assert_close(prior.denoise(x[k : k + 1], float(sigma[k]))[0], together[k])
    score = prior.score(x, sigma)
    torch.testing.assert_close(x + sigma.reshape(-1, 1, 1, 1) ** 2 * score, together)
    assert prior.denoise(x.float(), 0.5).dtype == torch.float32


def test_scales_of_signals() -> None:
    prior = LevyPrior(LAWS["laplace"], 64)
    power = prior.sample(4000).square().mean()
    assert prior.variance == pytest.approx(float(power), rel=0.1)
    assert LevyPrior(LAWS["student1"], 64).variance == median_power(LAWS["student1"], 64)
