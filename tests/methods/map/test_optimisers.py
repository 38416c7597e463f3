"""Point estimates against modes in closed form, and, where several recursions share a limit, step
by step against dense algebra."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.exact import exact_posterior
from invscore.likelihood import GaussianNoise, InverseProblem, PoissonNoise
from invscore.methods import METHODS
from invscore.methods.base import Step
from invscore.methods.common.initial_guess import initial_guess
from invscore.methods.common.log_posterior import LogPosterior
from invscore.methods.map.ascent import Point
from invscore.operators import from_function, from_matrix
from invscore.priors import GaussianMixturePrior, GaussianPrior, Prior
from invscore.rng import SampleRNG

F64 = torch.float64
A = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, -0.8]], dtype=F64)
Y = torch.tensor([0.9, -0.4], dtype=F64)
S = 0.2
EYE = torch.eye(3, dtype=F64)
MEAN = torch.tensor([0.5, -0.2, 0.1], dtype=F64)
COVARIANCE = torch.tensor([[0.6, 0.3, 0.0], [0.3, 0.5, -0.1], [0.0, -0.1, 0.4]], dtype=F64)
MAPS = ("map", "map_accelerated", "map_lbfgs")
BEND = from_function(lambda x: x**2 + 0.5 * x, (3,), linear=False)


class ScoreAlone(Prior):
    """A prior that keeps its density to itself."""

    def __init__(self, prior: GaussianPrior) -> None:
        self.prior, self.mean, self.variance = prior, prior.mean, prior.variance

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return self.prior.denoise(x, sigma)


def prior() -> GaussianPrior:
    return GaussianPrior(MEAN, COVARIANCE)


def task(copies: int = 2) -> InverseProblem:
    return InverseProblem(from_matrix(A), Y.expand(copies, -1), GaussianNoise(S))


def states(name: str, problem: InverseProblem, law: Prior, **options: Any) -> list[Step]:
    info, rng = METHODS[name], SampleRNG([(0, k) for k in range(len(problem.y))])
    return list(info.run(problem, law, rng, **info.options(options)))


def mode(smoothing: float) -> Tensor:
    """Of the posterior whose prior is smoothed."""
    smoothed = GaussianPrior(MEAN, COVARIANCE + smoothing**2 * EYE)
    return exact_posterior(task(1), smoothed).mean


def shrink(sigma: float) -> Tensor:
    return COVARIANCE @ torch.linalg.inv(COVARIANCE + sigma**2 * EYE)


def denoise(x: Tensor, sigma: float) -> Tensor:
    return MEAN + (x - MEAN) @ shrink(sigma).T


def fit(centre: Tensor, width: float) -> Tensor:
    precision = A.T @ A / S**2 + EYE / width**2
    return torch.linalg.solve(precision, (Y @ A / S**2 + centre / width**2).T).T


def gradient(x: Tensor, sigma: float, weight: float = 1.0) -> Tensor:
    return (denoise(x, sigma) - x) / sigma**2 + weight * (Y - x @ A.T) @ A / S**2


@pytest.mark.parametrize("law", [prior(), ScoreAlone(prior())])
@pytest.mark.parametrize(
    ("name", "steps"), [("map", 800), ("map_accelerated", 200), ("map_lbfgs", 30)]
)
def test_maps_find_the_mode(name: str, steps: int, law: Prior) -> None:
    x = states(name, task(), law, steps=steps, sigma=0.1)[-1].x
    torch.testing.assert_close(x, mode(0.1).expand(2, -1), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("known", [True, False])
def test_faster_ways_are_faster(known: bool) -> None:
    """Steps until the gradient has fallen 10,000 times, from the same start, far from round."""
    wide = GaussianPrior(MEAN, 100 * COVARIANCE)
    law = wide if known else ScoreAlone(wide)
    log_posterior, first = LogPosterior(task(1), wide, 0.1), {}
    for name in MAPS:
        trace = states(name, task(1), law, steps=600, annealing=0.0, sigma=0.1)
        slopes = torch.stack([log_posterior.gradient(step.x)[0].norm() for step in trace])
        low = (slopes < 1e-4 * slopes[0]).nonzero()
        first[name] = int(low[0]) if len(low) else 600
    assert first["map_accelerated"] < 0.8 * first["map"], first
    assert first["map_lbfgs"] < min(25, 0.25 * first["map"]), first


def test_the_homotopy() -> None:
    """Steps of level^2 / 2 on geometric levels, the likelihood tempered: ``annealing`` = 1."""
    trace = states("map", task(), prior(), steps=5, annealing=1.0, sigma=0.1)
    wide = float(COVARIANCE.trace() / 3) ** 0.5
    x = initial_guess(task(), prior(), wide, SampleRNG([(0, 0), (0, 1)]))
    strength = float(torch.linalg.matrix_norm(A, 2)) ** 2
    for level, step in zip(np.geomspace(wide, 0.1, 5), trace, strict=True):
        x = x + level**2 / 2 * gradient(x, level, S**2 / (S**2 + strength * level**2))
        torch.testing.assert_close(step.x, x, rtol=1e-7, atol=1e-7)
        assert step.sigma == pytest.approx(level)


@pytest.mark.parametrize("noise", [GaussianNoise(0.05), PoissonNoise(400.0)])
@pytest.mark.parametrize("name", [*MAPS, "prox_gradient"])
@pytest.mark.parametrize("dense", [True, False])
def test_stationary_points_of_nonlinear_problems(
    name: str, noise: GaussianNoise | PoissonNoise, dense: bool
) -> None:
    if name == "prox_gradient" and not dense:
        return
    gaussian = GaussianPrior(torch.full((3,), 0.8, dtype=F64), 0.3)
    law = gaussian if dense else ScoreAlone(gaussian)
    problem = InverseProblem(BEND, torch.tensor([[1.0, 0.4, 0.1]], dtype=F64), noise)
    steps = 1500 if name == "map" else 300
    x = states(name, problem, law, steps=steps, sigma=0.1)[-1].x
    log_posterior, guess = LogPosterior(problem, gaussian, 0.1), gaussian.mean[None]
    assert log_posterior.gradient(x)[0].norm() < 1e-4 * log_posterior.gradient(guess)[0].norm()
    assert log_posterior.value(x) > log_posterior.value(guess)


@pytest.mark.parametrize("name", ["map", "map_accelerated", "map_lbfgs", "prox_gradient"])
def test_the_objective_never_falls(name: str) -> None:
    """On a prior with several modes, from the first look at the true objective on."""
    law = GaussianMixturePrior(torch.tensor([[2.0, 0, 0], [-1, 1, 0], [0, -2, 1]], dtype=F64), 0.05)
    options = {} if name == "prox_gradient" else {"annealing": 0.0}
    trace = states(name, task(3), law, steps=60, sigma=0.3, **options)
    log_posterior = LogPosterior(task(3), law, 0.3)
    heights = torch.stack([log_posterior.value(step.x).flatten() for step in trace])
    assert (heights.diff(dim=0) >= -1e-9).all()
    assert (heights[-1] > heights[0]).all()


def test_accepted_steps_climb() -> None:
    """On a parabola a step is accepted up to 1.8 times the distance to its top, by both rules."""
    problem = InverseProblem(from_matrix(EYE[:1]), torch.zeros(1, 1, dtype=F64), GaussianNoise(1.0))
    for law in (prior(), ScoreAlone(prior())):
        log_posterior = LogPosterior(problem, law, 0.5)
        start = Point.seen(log_posterior, MEAN[None] + 1.0)
        # The exact line search along the gradient.
        curvature = torch.linalg.inv(COVARIANCE + 0.25 * EYE) + EYE[:, :1] @ EYE[:1]
        g = start.gradient
        best = (g @ g.T) / (g @ curvature @ g.T)
        for share, accepted in ((0.2, True), (1.75, True), (1.85, False), (-0.1, False)):
            trial = Point.seen(log_posterior, start.x + share * best * g)
            assert bool(start.accepts(trial)) is accepted, (law, share)
        assert bool(Point.unseen(log_posterior, start.x).accepts(start))


def test_prox_gradient_finds_the_mode() -> None:
    x = states("prox_gradient", task(), prior(), steps=200, sigma=0.3)[-1].x
    torch.testing.assert_close(x, mode(0.3).expand(2, -1), rtol=1e-6, atol=1e-6)


def test_prox_gradient_follows_its_paper() -> None:
    """Hurault et al. 2022, Eq. 9, at the full step: the denoiser, then the data."""
    sigma = 0.3
    trace = states("prox_gradient", task(), prior(), steps=4, sigma=sigma)
    x = initial_guess(task(), prior(), 0.0, SampleRNG([(0, 0), (0, 1)]))
    for step in trace:
        torch.testing.assert_close(step.x, x, rtol=1e-6, atol=1e-6)
        x = fit(denoise(x, sigma), sigma)


@pytest.mark.parametrize("name", ["mala", "prox_gradient"])
def test_a_density_is_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match="got a ScoreAlone, which has a score alone"):
        states(name, task(), ScoreAlone(prior()), steps=2)


def test_red_balances() -> None:
    lam, sigma = 0.4, 0.3
    x = states("red", task(), prior(), steps=500, lam=lam, sigma=sigma)[-1].x
    balance = lam * (denoise(x, sigma) - x) / sigma**2 + (Y - x @ A.T) @ A / S**2
    assert balance.abs().max() < 1e-8
    x = states("red", task(), prior(), steps=500, lam=1.0, sigma=sigma)[-1].x
    torch.testing.assert_close(x, mode(sigma).expand(2, -1), rtol=1e-7, atol=1e-7)


def test_red_follows_its_paper() -> None:
    lam, sigma = 0.4, 0.3
    trace = states("red", task(), prior(), steps=3, lam=lam, sigma=sigma)
    x = initial_guess(task(), prior(), 0.0, SampleRNG([(0, 0), (0, 1)]))
    curvature = float(torch.linalg.matrix_norm(A, 2)) ** 2 / S**2 + lam / sigma**2
    for step in trace:
        pull = lam * (denoise(x, sigma) - x) / sigma**2
        x = x + (pull + (Y - x @ A.T) @ A / S**2) / curvature
        torch.testing.assert_close(step.x, x, rtol=1e-6, atol=1e-6)


def test_hqs_finds_the_mode_of_a_smoothed_prior() -> None:
    options = {"steps": 300, "lam": 1.0, "sigma_max": 0.3, "sigma_min": 0.3}
    z = states("hqs", task(), prior(), **options)[-1].x
    torch.testing.assert_close(z, denoise(mode(0.3), 0.3).expand(2, -1), rtol=1e-7, atol=1e-7)


def test_hqs_follows_its_paper() -> None:
    """DPIR's Algorithm 1 on four levels: alpha = lam s^2 / sigma^2."""
    lam = 0.5
    trace = states("hqs", task(), prior(), steps=4, lam=lam, sigma_max=0.5, sigma_min=0.05)
    z = initial_guess(task(), prior(), 0.0, SampleRNG([(0, 0), (0, 1)]))
    for sigma, step in zip(np.geomspace(0.5, 0.05, 4), trace, strict=True):
        alpha = lam * S**2 / sigma**2
        x = torch.linalg.solve(A.T @ A + alpha * EYE, (Y @ A + alpha * z).T).T
        z = denoise(x, sigma)
        torch.testing.assert_close(step.x, z, rtol=1e-7, atol=1e-7)
        assert step.sigma == pytest.approx(sigma)


@pytest.mark.parametrize("levels", [{"sigma_max": 0.4, "sigma_min": 0.4}, {}])
def test_admm_finds_the_mode(levels: dict[str, float]) -> None:
    """Of the true posterior: no smoothing is left, whatever the levels."""
    x = states("admm", task(), prior(), steps=200, **levels)[-1].x
    torch.testing.assert_close(x, mode(0.0).expand(2, -1), rtol=1e-7, atol=1e-7)


def test_admm_follows_its_paper() -> None:
    """Boyd et al. 2011, Eq. 3.2 to 3.4, with an unscaled multiplier that levels do not touch."""
    lam = 0.5
    trace = states("admm", task(), prior(), steps=4, lam=lam, sigma_max=0.5, sigma_min=0.05)
    v = initial_guess(task(), prior(), 0.0, SampleRNG([(0, 0), (0, 1)]))
    multiplier = torch.zeros_like(v)
    for sigma, step in zip(np.geomspace(0.5, 0.05, 4), trace, strict=True):
        penalty = lam / sigma**2
        x = fit(v - multiplier / penalty, penalty**-0.5)
        v = denoise(x + multiplier / penalty, sigma)
        multiplier = multiplier + penalty * (x - v)
        torch.testing.assert_close(step.x, v, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", ["hqs", "admm", "red", "prox_gradient"])
def test_plug_and_play_on_counts_through_a_bend(name: str) -> None:
    """The data term falls to what the noise allows, and the levels go down."""
    truth = torch.tensor([[0.9, 0.5, 1.2], [0.3, 0.8, 1.0]], dtype=F64)
    problem = InverseProblem(BEND, BEND(truth), PoissonNoise(2000.0))
    law = GaussianPrior(torch.full((3,), 0.8, dtype=F64), 0.3)
    trace = states(name, problem, law, steps=100)
    assert (trace[-1].x - truth).abs().max() < 0.05
    assert all(before.sigma >= after.sigma for before, after in pairwise(trace))
