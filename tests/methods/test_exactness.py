"""Methods against posteriors in closed form, where they are exact, and against their papers'
algorithm boxes, transcribed in the papers' own coordinates, where they are not."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, PoissonNoise
from invscore.methods import METHODS
from invscore.methods.common.initial_guess import initial_guess
from invscore.operators import Identity, from_function, from_matrix
from invscore.priors import GaussianPrior
from invscore.rng import SampleRNG

SAMPLES = 4000
DIMENSION = 3
MATRIX = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, -0.8]], dtype=torch.float64)
Y = torch.tensor([0.9, -0.4], dtype=torch.float64)


def correlated_prior() -> GaussianPrior:
    mean = torch.tensor([0.5, -0.2, 0.1], dtype=torch.float64)
    covariance = torch.tensor(
        [[0.6, 0.3, 0.0], [0.3, 0.5, -0.1], [0.0, -0.1, 0.4]], dtype=torch.float64
    )
    return GaussianPrior(mean, covariance)


def isotropic_prior() -> GaussianPrior:
    return GaussianPrior(torch.tensor([0.5, -0.2, 0.1], dtype=torch.float64), 0.7)


def problem(copies: int = 1, sigma: float = 0.2) -> InverseProblem:
    return InverseProblem(from_matrix(MATRIX), Y.expand(copies, -1), GaussianNoise(sigma))


def run(name: str, task: InverseProblem, prior: GaussianPrior, rng: SampleRNG, **o: Any) -> Tensor:
    info = METHODS[name]
    *_, last = info.run(task, prior, rng, **info.options(o))
    return last.x


def assert_law(x: Tensor, posterior: GaussianPrior, bias: float) -> None:
    """Mean and covariance agree within five standard errors plus ``bias`` posterior deviations."""
    covariance = posterior.covariance
    deviations = covariance.diagonal().sqrt()
    error = (x.mean(dim=0) - posterior.mean).abs()
    assert (error <= (5 / SAMPLES**0.5 + bias) * deviations).all(), error / deviations
    scale = deviations[:, None] * deviations
    difference = (torch.cov(x.T) - covariance).abs() / scale
    assert (difference <= 5 * (2 / SAMPLES) ** 0.5 + 2 * bias).all(), difference


@pytest.mark.parametrize("eta", [0.0, 0.2, 1.0])
def test_pigdm_is_exact_for_isotropic_gaussians(eta: float, one_stream: Any) -> None:
    prior = isotropic_prior()
    options = {"guidance": "score", "steps": 500, "eta": eta, "sigma_max": 60.0}
    x = run("pigdm", problem(SAMPLES), prior, one_stream(0), **options)
    assert_law(x, exact_posterior(problem(), prior), bias=0.02)


def test_pc_without_data_samples_the_prior(one_stream: Any) -> None:
    prior = correlated_prior()
    x = run("pc", problem(SAMPLES), prior, one_stream(2), steps=1000, mixing=0.0)
    assert_law(x, prior, bias=0.03)


def test_pc_meets_precise_data_and_follows_the_prior_elsewhere(one_stream: Any) -> None:
    """With a precise measurement of one coordinate, the others follow its regression.

    Their spread has a known bias (Song et al. 2022 replace coefficients, they do not condition):
    it is too wide here, by less than 30 %.
    """
    prior = correlated_prior()
    first = from_matrix(torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64))
    y = torch.tensor([[1.2]], dtype=torch.float64)
    noise = GaussianNoise(0.01)
    x = run("pc", InverseProblem(first, y.expand(SAMPLES, 1), noise), prior, one_stream(3))
    posterior = exact_posterior(InverseProblem(first, y, noise), prior)
    deviations = posterior.covariance.diagonal().sqrt()
    assert abs(x[:, 0].mean() - 1.2) < 5e-3
    assert ((x.mean(dim=0) - posterior.mean).abs() < 0.1 * deviations.clamp_min(0.05)).all()
    ratio = x.std(dim=0)[1:] / deviations[1:]
    assert ((ratio > 0.9) & (ratio < 1.3)).all(), ratio


def test_dps_follows_its_paper() -> None:
    """Algorithm 1 of Chung et al. 2023 in its own, variance-preserving coordinates."""
    prior = GaussianPrior(correlated_prior().mean, 200 * correlated_prior().covariance)
    steps, zeta = 1000, 0.3
    rng, task = SampleRNG([(0, 0), (0, 1)]), problem(2)
    x = run("dps", task, prior, rng, steps=steps, guidance=zeta)

    beta = np.linspace(1e-4, 0.02, steps)
    abar = np.cumprod(1 - beta)
    rng = SampleRNG([(0, 0), (0, 1)])
    sigma_last = float(np.sqrt((1 - abar[-1]) / abar[-1]))
    state = initial_guess(task, prior, sigma_last, rng) * abar[-1] ** 0.5
    for t in reversed(range(steps)):
        previous = abar[t - 1] if t else 1.0
        leaf = state.clone().requires_grad_()
        score = -torch.linalg.solve(
            abar[t] * prior.covariance + (1 - abar[t]) * torch.eye(3, dtype=torch.float64),
            (leaf - abar[t] ** 0.5 * prior.mean).T,
        ).T
        x0 = (leaf + (1 - abar[t]) * score) / abar[t] ** 0.5
        length = (Y - x0 @ MATRIX.T).norm(dim=1).sum()
        (gradient,) = torch.autograd.grad(length, leaf)
        spread = (beta[t] * (1 - previous) / (1 - abar[t])) ** 0.5
        mean = (1 - beta[t]) ** 0.5 * (1 - previous) / (1 - abar[t]) * state + previous**0.5 * beta[
            t
        ] / (1 - abar[t]) * x0.detach()
        noise = rng.normal_like(state) if t else torch.zeros_like(state)
        state = mean + spread * noise - zeta * gradient
    torch.testing.assert_close(x, state, rtol=1e-5, atol=1e-5)


def test_diffpir_follows_its_paper() -> None:
    """Algorithm 1 of Zhu et al. 2023 in its own, variance-preserving coordinates."""
    prior, task, lam, zeta, s = correlated_prior(), problem(2), 3.0, 0.4, 0.2
    rng = SampleRNG([(0, 0), (0, 1)])
    info = METHODS["diffpir"]
    states = list(info.run(task, prior, rng, **info.options({"lam": lam, "zeta": zeta})))

    rng = SampleRNG([(0, 0), (0, 1)])
    sigmas = [None, *(state.sigma for state in states)]
    eye = torch.eye(3, dtype=torch.float64)
    start = first_level(task, prior)
    abar = [1 / (1 + s_t**2) for s_t in [start, *sigmas[1:]]]
    x = initial_guess(task, prior, start, rng) * abar[0] ** 0.5
    for now, then in pairwise(abar):
        inverse = torch.linalg.inv(now * prior.covariance + (1 - now) * eye)
        x0 = (x - (1 - now) * (x - now**0.5 * prior.mean) @ inverse) / now**0.5
        rho = lam * s**2 * now / (1 - now)
        system = MATRIX.T @ MATRIX + rho * eye
        x0 = torch.linalg.solve(system, (Y @ MATRIX + rho * x0).T).T
        epsilon = (x - now**0.5 * x0) / (1 - now) ** 0.5
        fresh = rng.normal_like(x)
        x = then**0.5 * x0 + (1 - then) ** 0.5 * ((1 - zeta) ** 0.5 * epsilon + zeta**0.5 * fresh)
    torch.testing.assert_close(states[-1].x, x, rtol=1e-8, atol=1e-8)


def denoise(prior: GaussianPrior, x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """``E[x0 | x0 + sigma n = x]`` and its Jacobian by dense algebra."""
    noisy = prior.covariance + sigma**2 * torch.eye(3, dtype=torch.float64)
    gain = prior.covariance @ torch.linalg.inv(noisy)
    return prior.mean + (x - prior.mean) @ gain.T, gain


@pytest.mark.parametrize("given", [None, 0.3])
def test_the_score_of_pigdm_follows_its_formula(given: float | None) -> None:
    """Song et al. 2023, Eq. 7, and DDIM's step, on few levels, where each sigma counts."""
    prior, task, s, eta = correlated_prior(), problem(2), 0.2, 0.6
    rng, info = SampleRNG([(0, 0), (0, 1)]), METHODS["pigdm"]
    chosen = {"guidance": "score", "steps": 5, "eta": eta, "prior_variance": given}
    options = info.options(chosen)
    states = list(info.run(task, prior, rng, **options))
    v = given or prior.variance

    rng, high = SampleRNG([(0, 0), (0, 1)]), 4 * prior.variance**0.5
    sigmas = [high, *(state.sigma for state in states)]
    x = initial_guess(task, prior, high, rng)
    for now, then in pairwise(sigmas):
        x0, jacobian = denoise(prior, x, now)
        spread = v * now**2 / (v + now**2)
        gram = spread * MATRIX @ MATRIX.T + s**2 * torch.eye(2, dtype=torch.float64)
        likelihood = torch.linalg.solve(gram, (Y - x0 @ MATRIX.T).T).T @ MATRIX @ jacobian
        x0 = x0 + now**2 * likelihood
        fresh = eta * then * (1 - then**2 / now**2) ** 0.5
        x = x0 + (then**2 - fresh**2) ** 0.5 * (x - x0) / now
        if fresh > 0:
            x = x + fresh * rng.normal_like(x)
    torch.testing.assert_close(states[-1].x, x, rtol=1e-8, atol=1e-8)


def test_pigdm_refuses_a_variance_of_no_prior() -> None:
    prior, rng = correlated_prior(), SampleRNG([(0,)])
    with pytest.raises(ValueError, match=r"`prior_variance` must lie in .*, got 0"):
        next(METHODS["pigdm"].run(problem(), prior, rng, prior_variance=0))


def test_pc_follows_its_formula() -> None:
    """Predictor, consistency, corrector, consistency, by dense algebra."""
    prior, task, s = correlated_prior(), problem(2), 0.2
    options = {"steps": 4, "snr": 0.3, "mixing": 0.7, "lam": 2.0}
    rng, info = SampleRNG([(0, 0), (0, 1)]), METHODS["pc"]
    states = list(info.run(task, prior, rng, **info.options(options)))

    rng, high = SampleRNG([(0, 0), (0, 1)]), 20 * prior.variance**0.5

    def consistent(x: Tensor, sigma: float) -> Tensor:
        noised = Y + sigma * rng.normal_like(x) @ MATRIX.T
        system = MATRIX.T @ MATRIX + 2.0 * s**2 / sigma**2 * torch.eye(3, dtype=torch.float64)
        return x + 0.7 * torch.linalg.solve(system, ((noised - x @ MATRIX.T) @ MATRIX).T).T

    x = initial_guess(task, prior, high, rng)
    for now, then in pairwise([high, *(state.sigma for state in states)]):
        x0, _ = denoise(prior, x, now)
        ancestral = then * (1 - then**2 / now**2) ** 0.5
        x = x0 + then**2 / now**2 * (x - x0) + ancestral * rng.normal_like(x)
        x = consistent(x, then)
        x0, _ = denoise(prior, x, then)
        kept = np.exp(-2 * 0.3**2)
        x = x0 + kept * (x - x0) + then * (1 - kept**2) ** 0.5 * rng.normal_like(x)
        x = consistent(x, then)
    torch.testing.assert_close(states[-1].x, x, rtol=1e-8, atol=1e-8)


def first_level(task: InverseProblem, prior: GaussianPrior) -> float:
    """The level at which DiffPIR begins, read off its first call of the denoiser."""
    seen: list[float] = []

    class Spy(GaussianPrior):
        def denoise(self, x: Tensor, sigma: float | Tensor) -> Tensor:
            seen.append(float(sigma))
            return super().denoise(x, sigma)

    spy = Spy(prior.mean, prior.covariance)
    next(iter(METHODS["diffpir"].run(task, spy, SampleRNG([(0, 0), (0, 1)]))))
    return seen[0]


def test_map_finds_the_mode(one_stream: Any) -> None:
    prior, smoothing = correlated_prior(), 0.1
    x = run("map", problem(4), prior, one_stream(4), steps=400, sigma=smoothing)
    eye = torch.eye(3, dtype=torch.float64)
    smoothed = GaussianPrior(prior.mean, prior.covariance + smoothing**2 * eye)
    mode = exact_posterior(problem(), smoothed).mean
    torch.testing.assert_close(x, mode.expand(4, -1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("noise", [GaussianNoise(0.05), PoissonNoise(400.0)])
def test_map_climbs_to_a_stationary_point_of_a_nonlinear_problem(
    noise: GaussianNoise | PoissonNoise, one_stream: Any
) -> None:
    prior = GaussianPrior(torch.full((3,), 0.8, dtype=torch.float64), 0.3)
    bend = from_function(lambda x: x**2 + 0.5 * x, (3,), linear=False)
    y = torch.tensor([[1.0, 0.4, 0.1]], dtype=torch.float64)
    task = InverseProblem(bend, y, noise)
    x = run("map", task, prior, one_stream(5), steps=600, sigma=0.01)
    slope = task.score(x) + prior.score(x, 0.01)
    guess = prior.mean[None]
    assert slope.norm() < 1e-4 * (task.score(guess) + prior.score(guess, 0.01)).norm()
    higher = task.log_likelihood(x) + prior.log_prob(x)
    assert higher > task.log_likelihood(guess) + prior.log_prob(guess)


def test_begin_is_the_posterior_of_a_white_prior() -> None:
    prior = isotropic_prior()
    guess = initial_guess(problem(), prior, 0.0, SampleRNG([(0,)]))
    torch.testing.assert_close(guess[0], exact_posterior(problem(), prior).mean, rtol=1e-8, atol=0)
    x = torch.full((1, 3), 2.0, dtype=torch.float64)
    square = InverseProblem(
        from_function(lambda x: x**2, (3,), linear=False), x, GaussianNoise(0.1)
    )
    torch.testing.assert_close(initial_guess(square, prior, 0.0, SampleRNG([(0,)]))[0], prior.mean)


def test_denoising_an_isotropic_gaussian(one_stream: Any) -> None:
    """One number where everything is known by hand: N(0, 1), y = 1.5, s = 1: N(0.75, 0.5)."""
    prior = GaussianPrior(torch.zeros(1, dtype=torch.float64), 1.0)
    y = torch.full((SAMPLES, 1), 1.5, dtype=torch.float64)
    task = InverseProblem(Identity((1,)), y, GaussianNoise(1.0))
    options = {"guidance": "score", "steps": 500, "sigma_max": 60.0}
    x = run("pigdm", task, prior, one_stream(6), **options)
    assert abs(x.mean() - 0.75) < 5 * (0.5 / SAMPLES) ** 0.5 + 0.01
    assert abs(x.var() - 0.5) < 5 * 0.5 * (2 / SAMPLES) ** 0.5 + 0.01
