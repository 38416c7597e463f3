"""Every objective recovers the exact score of smoothed data, within standard errors.

The losses are quadratic in the parameters of a linear family of scores that holds the truth, so
that their minimisers are solutions of linear equations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import torch
from linear_fits import Fit, fit_linear
from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.priors import GaussianMixturePrior
from invscore.training.objectives import (
    ImportanceTimes,
    bridge_matching,
    controlled_score_matching,
    explicit_score_matching,
    flow_matching,
    hutchinson_score_matching,
    implicit_score_matching,
    noise_score_matching,
    process_score_matching,
    random_signs,
    score_of,
    sliced_score_matching,
    stable_target_score_matching,
)

SIGMA = 0.6
SPREAD = 0.8
SIZE = 3000

GAUSSIAN = GaussianMixturePrior(torch.zeros(1, 2, dtype=torch.float64), 1.0)
MIXTURE = GaussianMixturePrior(
    torch.tensor([[-1.5, 0.5], [1.0, 1.0], [0.5, -1.5]], dtype=torch.float64),
    torch.tensor([0.2, 0.4, 0.1], dtype=torch.float64),
    torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64),
)


@dataclass(frozen=True, eq=False)
class Family:
    """Scores ``sum_j theta_j grad F_j(x, sigma)`` with ``exact`` the theta of the true one.

    The potentials F_j: log-density (where it is no parabola), parabola, plane, wave.
    """

    prior: GaussianMixturePrior
    exact: Tensor

    def log_density(self, theta: Tensor, x: Tensor, sigma: PerImage) -> Tensor:
        parabola = 0.5 * x.square().sum(1) / (1 + torch.as_tensor(sigma) ** 2)
        potentials = [parabola, x.sum(1), -(2 * x).cos().sum(1) / 2]
        if len(theta) == 4:
            potentials.insert(0, self.prior.log_prob(x, sigma))
        return torch.stack(potentials, dim=1) @ theta

    def score(self, theta: Tensor, x: Tensor, sigma: PerImage) -> Tensor:
        fields = [x / (1 + per_image(sigma, x) ** 2), torch.ones_like(x), (2 * x).sin()]
        if len(theta) == 4:
            fields.insert(0, self.prior.score(x, sigma))
        return torch.stack(fields, dim=-1) @ theta


F64 = torch.float64
FAMILIES = {
    "gaussian": Family(GAUSSIAN, torch.tensor([-1.0, 0.0, 0.0], dtype=F64)),
    "mixture": Family(MIXTURE, torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=F64)),
}


@dataclass(frozen=True)
class Trial:
    """A score of a family and random data to judge it by."""

    family: Family
    theta: Tensor
    random: np.random.Generator
    size: int

    def normal(self) -> Tensor:
        return torch.from_numpy(self.random.standard_normal((self.size, 2)))

    def uniform(self, low: float, high: float) -> Tensor:
        return torch.from_numpy(self.random.uniform(low, high, self.size))

    def clean(self) -> Tensor:
        prior = self.family.prior
        chosen = self.random.choice(len(prior.weights), self.size, p=prior.weights.numpy())
        deviations = torch.stack([c.values.sqrt() for c in prior.covariances])
        return prior.means[chosen] + deviations[chosen] * self.normal()

    def noisy(self) -> Tensor:
        return self.clean() + SIGMA * self.normal()

    def score(self, x: Tensor) -> Tensor:
        return self.family.score(self.theta, x, SIGMA)

    def potential(self, x: Tensor) -> Tensor:
        return -self.family.log_density(self.theta, x, SIGMA)

    def score_in(self, alpha: Tensor, sigma: Tensor) -> Callable[[Tensor], Tensor]:
        """The score of ``alpha x0 + sigma n``."""
        return lambda x: (
            self.family.score(self.theta, x / alpha[:, None], sigma / alpha) / alpha[:, None]
        )

    def exact_in(self, alpha: Tensor, sigma: Tensor) -> Callable[[Tensor], Tensor]:
        return replace(self, theta=self.family.exact).score_in(alpha, sigma)


def explicit(trial: Trial) -> Tensor:
    x = trial.noisy()
    return explicit_score_matching(trial.score, x, trial.family.prior.score(x, SIGMA))


def implicit(trial: Trial) -> Tensor:
    return implicit_score_matching(trial.score, trial.noisy())


def hutchinson(trial: Trial) -> Tensor:
    return hutchinson_score_matching(trial.score, trial.noisy(), trial.normal())


def hutchinson_signs(trial: Trial) -> Tensor:
    x = trial.noisy()
    return hutchinson_score_matching(trial.score, x, random_signs(x, trial.random))


def sliced(trial: Trial) -> Tensor:
    return sliced_score_matching(trial.score, trial.noisy(), trial.normal())


def denoising(trial: Trial) -> Tensor:
    return noise_score_matching(trial.score, trial.clean(), SIGMA, trial.normal())


def stable(trial: Trial) -> Tensor:
    blocks = [
        stable_target_score_matching(trial.score, clean, SIGMA, noise, reference=clean)
        for clean, noise in zip(trial.clean().split(100), trial.normal().split(100), strict=True)
    ]
    return torch.stack(blocks).mean()


def controlled(trial: Trial) -> Tensor:
    return controlled_score_matching(trial.score, trial.clean(), SIGMA, trial.normal())


def potential_implicit(trial: Trial) -> Tensor:
    return implicit_score_matching(score_of(trial.potential), trial.noisy())


def potential_hutchinson(trial: Trial) -> Tensor:
    x = trial.noisy()
    return hutchinson_score_matching(score_of(trial.potential), x, random_signs(x, trial.random))


def potential_denoising(trial: Trial) -> Tensor:
    score = score_of(trial.potential)
    return noise_score_matching(score, trial.clean(), SIGMA, trial.normal())


UNWEIGHTED = [
    implicit,
    hutchinson,
    hutchinson_signs,
    sliced,
    denoising,
    stable,
    controlled,
    potential_implicit,
    potential_hutchinson,
    potential_denoising,
]
"""These have the gradient of explicit score matching at one level, not a multiple of it."""


def vp_alpha(t: Tensor) -> Tensor:
    return (-t).exp()


def vp_sigma(t: Tensor) -> Tensor:
    return (1 - (-2 * t).exp()).sqrt()


TIMES = ImportanceTimes(lambda t: 2 / vp_sigma(t) ** 2, 0.05, 2.0)


def process(trial: Trial) -> Tensor:
    t = trial.uniform(0.05, 2.0)
    score = trial.score_in(vp_alpha(t), vp_sigma(t))
    return process_score_matching(
        lambda x, t: score(x),
        trial.clean(),
        t,
        trial.normal(),
        alpha=vp_alpha,
        sigma=vp_sigma,
        weight=lambda t: vp_sigma(t) ** 2,
    )


def process_likelihood(trial: Trial) -> Tensor:
    t = TIMES.sample(trial.size, trial.random)
    score = trial.score_in(vp_alpha(t), vp_sigma(t))
    return process_score_matching(
        lambda x, t: score(x),
        trial.clean(),
        t,
        trial.normal(),
        alpha=vp_alpha,
        sigma=vp_sigma,
        weight=lambda t: 2 / TIMES.density(t),
    )


def flow(trial: Trial) -> Tensor:
    t = trial.uniform(0.1, 0.8)
    score = trial.score_in(1 - t, t)

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        return -(x + t[:, None] * score(x)) / (1 - t[:, None])

    return flow_matching(velocity, trial.clean(), t, trial.normal())


def bridge(trial: Trial, taught: str) -> Tensor:
    """One of the two functions is taught; the other is exact."""
    t = trial.uniform(0.1, 0.8)
    alpha, sigma = 1 - t, (t**2 + SPREAD**2 * t * (1 - t)).sqrt()
    candidate, exact = trial.score_in(alpha, sigma), trial.exact_in(alpha, sigma)
    for_velocity, for_score = (candidate, exact) if taught == "velocity" else (exact, candidate)

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        # The probability flow of alpha x0 + sigma n: f x - g^2 s / 2.
        drift = -1 / (1 - t)
        growth = 2 * t + SPREAD**2 * (1 - 2 * t)  # of sigma^2
        diffusion = growth - 2 * drift * sigma**2
        return drift[:, None] * x - diffusion[:, None] / 2 * for_velocity(x)

    return bridge_matching(
        velocity,
        lambda x, t: for_score(x),
        trial.clean(),
        t,
        trial.normal(),
        trial.normal(),
        spread=SPREAD,
    )


def bridge_velocity(trial: Trial) -> Tensor:
    return bridge(trial, "velocity")


def bridge_score(trial: Trial) -> Tensor:
    return bridge(trial, "score")


WEIGHTED = [process, process_likelihood, flow, bridge_velocity, bridge_score]

Objective = Callable[[Trial], Tensor]
ALL = [explicit, *UNWEIGHTED, *WEIGHTED]


@cache
def fitted(name: str, objective: Objective) -> Fit:
    family = FAMILIES[name]
    return fit_linear(
        lambda theta, random: objective(Trial(family, theta, random, SIZE)), len(family.exact)
    )


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("objective", ALL)
def test_the_minimiser_is_the_exact_score(name: str, objective: Objective) -> None:
    theta, error, _ = fitted(name, objective)
    assert ((theta - FAMILIES[name].exact).abs() <= 5 * error + 1e-9).all(), (theta, error)
    assert error[0] < 0.012
    assert (error < 0.03).all(), error


@pytest.mark.parametrize("objective", UNWEIGHTED)
def test_the_gradient_is_that_of_explicit_score_matching(objective: Objective) -> None:
    found, expected = (fitted("mixture", loss).gradients for loss in (objective, explicit))
    error = ((found.var(0) + expected.var(0)) / len(found)).sqrt()
    difference = found.mean(0) - expected.mean(0)
    assert (difference.abs() <= 5 * error).all(), (difference, error)
    assert (error < 0.03 * expected.mean(0).abs().max()).all()


class Network(Family):
    """Scores that depend on theta as a small network does on its weights."""

    def log_density(self, theta: Tensor, x: Tensor, sigma: PerImage) -> Tensor:
        level = torch.as_tensor(sigma, dtype=x.dtype).expand(len(x))
        return (torch.stack([*x.T, level], dim=1) @ theta.reshape(3, 2)).tanh().sum(dim=1)

    def score(self, theta: Tensor, x: Tensor, sigma: PerImage) -> Tensor:
        level = torch.as_tensor(sigma, dtype=x.dtype).expand(len(x))
        return (torch.stack([*x.T, level], dim=1) @ theta.reshape(3, 2)).sin()


@pytest.mark.parametrize("objective", ALL)
def test_gradients_against_finite_differences(objective: Objective) -> None:
    theta = torch.tensor([0.5, -1.0, 0.8, 0.3, -0.2, 0.7], dtype=F64, requires_grad=True)
    network = Network(MIXTURE, torch.tensor([1.0, 0.5, -0.3, 0.2, 0.9, -0.4], dtype=F64))

    def loss(theta: Tensor) -> Tensor:
        return objective(Trial(network, theta, np.random.default_rng(3), 8))

    assert torch.autograd.gradcheck(loss, theta)
