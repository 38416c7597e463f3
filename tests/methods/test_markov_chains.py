"""The laws of Markov chains: in closed form on Gaussian priors, else by statistics."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods import METHODS
from invscore.operators import Identity, from_function, from_matrix
from invscore.priors import GaussianPrior
from invscore.rng import SampleRNG

F64 = torch.float64
A = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, -0.8]], dtype=F64)
Y = torch.tensor([0.9, -0.4], dtype=F64)
S = 0.5
EYE = torch.eye(3, dtype=F64)
MEAN = torch.tensor([0.5, -0.2, 0.1], dtype=F64)
COVARIANCE = torch.tensor([[0.6, 0.3, 0.0], [0.3, 0.5, -0.1], [0.0, -0.1, 0.4]], dtype=F64)
CHAINS = 4000

Law = Callable[..., tuple[Tensor, Tensor]]


def prior(smoothing: float = 0.0) -> GaussianPrior:
    return GaussianPrior(MEAN, COVARIANCE + smoothing**2 * EYE)


def task(copies: int = 1) -> InverseProblem:
    return InverseProblem(from_matrix(A), Y.expand(copies, -1), GaussianNoise(S))


@pytest.mark.parametrize("step_size", [0.2, 1.0])
def test_ula_has_the_law_of_its_recursion(step_size: float, law: Law) -> None:
    """``(P - a P^2 / 2)^-1`` about the posterior mean, P the precision: the known bias of ULA."""
    sigma = 0.6
    steps = round(80 / step_size)
    mean, covariance = law("ula", task(), prior(), steps=steps, step_size=step_size, sigma=sigma)
    posterior = exact_posterior(task(), prior(sigma))
    precision = torch.linalg.inv(posterior.covariance)
    time = step_size / (1 / sigma**2 + float(torch.linalg.matrix_norm(A, 2)) ** 2 / S**2)
    expected = torch.linalg.inv(precision - time / 2 * precision @ precision)
    torch.testing.assert_close(mean, posterior.mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(covariance, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rho", [0.3, 0.8])
def test_split_gibbs_has_its_stationary_law(rho: float, law: Law) -> None:
    """At a fixed rho, x has the posterior under the noise ``s^2 I + rho^2 A A^T``."""
    options = {"steps": 6 if rho > 0.5 else 25, "denoising_steps": 200 if rho > 0.5 else 60}
    mean, covariance = law("split_gibbs", task(), prior(), rho_max=rho, rho_min=rho, **options)
    noise = S**2 * torch.eye(2, dtype=F64) + rho**2 * A @ A.T
    gain = COVARIANCE @ A.T @ torch.linalg.inv(A @ COVARIANCE @ A.T + noise)
    expected = COVARIANCE - gain @ A @ COVARIANCE
    torch.testing.assert_close(mean, MEAN + gain @ (Y - A @ MEAN), rtol=0, atol=0.01)
    torch.testing.assert_close(covariance, expected, rtol=0, atol=0.02)


def test_split_gibbs_approaches_the_posterior(law: Law) -> None:
    errors = []
    posterior = exact_posterior(task(), prior())
    for rho in (0.8, 0.4, 0.2):
        _, covariance = law("split_gibbs", task(), prior(), steps=30, rho_max=2.0, rho_min=rho)
        errors.append(float((covariance - posterior.covariance).norm()))
    assert errors[2] < errors[1] < errors[0]


def test_split_gibbs_levels() -> None:
    info, rng = METHODS["split_gibbs"], SampleRNG([(0,)])
    trace = list(info.run(task(), prior(), rng, **info.options({"steps": 10})))
    deviation = prior().variance ** 0.5
    sigmas = [step.sigma for step in trace]
    assert sigmas[0] == pytest.approx(20 * deviation)
    assert sigmas[3:] == pytest.approx([0.6 * deviation] * 7)
    assert sigmas[0] / sigmas[1] == pytest.approx(sigmas[1] / sigmas[2])


def assert_law(x: Tensor, posterior: GaussianPrior, bias: float = 0.01) -> None:
    covariance = posterior.covariance
    deviations = covariance.diagonal().sqrt()
    error = (x.mean(dim=0) - posterior.mean).abs()
    assert (error <= (5 / CHAINS**0.5 + bias) * deviations).all(), error / deviations
    difference = (torch.cov(x.T) - covariance).abs() / (deviations[:, None] * deviations)
    assert (difference <= 5 * (2 / CHAINS) ** 0.5 + 2 * bias).all(), difference


@pytest.mark.parametrize(("step_size", "burn_in"), [(2.0, 0.0), (0.3, 0.5)])
def test_mala_is_exact_at_any_step(step_size: float, burn_in: float, one_stream: Any) -> None:
    info = METHODS["mala"]
    options = {"steps": 150, "step_size": step_size, "burn_in": burn_in, "sigma": 0.6}
    *_, last = info.run(task(CHAINS), prior(), one_stream(1), **info.options(options))
    assert_law(last.x, exact_posterior(task(), prior(0.6)))


def test_mala_where_the_density_is_no_gaussian(one_stream: Any) -> None:
    """One pixel through a bend, against quadrature."""
    bend = from_function(lambda x: x**2 + 0.5 * x, (1,), linear=False)
    y = torch.full((CHAINS, 1), 0.8, dtype=F64)
    law = GaussianPrior(torch.full((1,), 0.2, dtype=F64), 0.4)
    problem = InverseProblem(bend, y, GaussianNoise(0.4))
    info = METHODS["mala"]
    options = {"steps": 400, "step_size": 3.0, "burn_in": 0.3, "sigma": 0.3}
    *_, last = info.run(problem, law, one_stream(2), **info.options(options))
    grid = torch.linspace(-4, 4, 4001, dtype=F64)[:, None]
    wide = InverseProblem(bend, y[:1].expand(len(grid), 1), GaussianNoise(0.4))
    weight = (wide.log_likelihood(grid) + law.log_prob(grid, 0.3)).softmax(dim=0)
    mean = (weight * grid[:, 0]).sum()
    std = (weight * (grid[:, 0] - mean) ** 2).sum().sqrt()
    assert abs(last.x.mean() - mean) < 5 * std / CHAINS**0.5
    below = (weight * (grid[:, 0] < mean)).sum()
    found = (last.x < mean).double().mean()
    assert abs(found - below) < 5 * (0.25 / CHAINS) ** 0.5
    assert abs(last.x.std() - std) < 0.08 * std


def test_mala_adapts_to_the_best_acceptance(one_stream: Any) -> None:
    """From a step far too long and one far too short, to moves about 57 % of the time."""
    law = GaussianPrior(torch.zeros(50, dtype=F64), 1.0)
    y = torch.zeros(200, 50, dtype=F64)
    problem = InverseProblem(Identity((50,)), y, GaussianNoise(1.0))
    info = METHODS["mala"]
    for step_size in (0.01, 30.0):
        options = {"steps": 400, "step_size": step_size, "burn_in": 0.8, "sigma": 0.5}
        trace = list(info.run(problem, law, one_stream(3), **info.options(options)))
        moved = [(b.x != a.x).any(dim=1).double().mean() for a, b in pairwise(trace[-60:])]
        assert 0.45 < float(torch.stack(moved).mean()) < 0.7
