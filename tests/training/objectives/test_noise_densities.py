"""Noise densities against SciPy's, and denoising with them against exact scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from linear_fits import fit_linear
from scipy import stats
from torch import Tensor

from invscore.training.objectives import (
    GaussianDensity,
    LaplaceDensity,
    NoiseDensity,
    StudentDensity,
    noise_score_matching,
)

F64 = torch.float64
DENSITIES: dict[str, tuple[NoiseDensity, Any]] = {
    "gaussian": (GaussianDensity(), stats.norm()),
    "laplace": (LaplaceDensity(), stats.laplace(scale=0.5**0.5)),
    "student 3": (StudentDensity(3), stats.t(3, scale=(1 / 3) ** 0.5)),
    "student 7.5": (StudentDensity(7.5), stats.t(7.5, scale=(5.5 / 7.5) ** 0.5)),
}
SIGMA = 0.7
CENTRES, WEIGHTS, DEVIATION = np.array([-1.2, 1.0]), np.array([0.4, 0.6]), 0.4
"""A mixture of two Gaussians on the line."""

each_density = pytest.mark.parametrize(("density", "law"), DENSITIES.values(), ids=DENSITIES.keys())


@each_density
def test_scores(density: NoiseDensity, law: Any) -> None:
    noise = torch.tensor([[-4.0, -1.3, -0.2], [0.1, 0.9, 30.0]], dtype=F64)
    step = 1e-5
    difference = law.logpdf(noise.numpy() + step) - law.logpdf(noise.numpy() - step)
    expected = torch.from_numpy(difference / (2 * step))
    torch.testing.assert_close(density.score(noise), expected, rtol=1e-6, atol=1e-8)


@each_density
def test_samples(density: NoiseDensity, law: Any) -> None:
    assert law.var() == pytest.approx(1)
    like = torch.zeros(200, 1, 10, 10, dtype=torch.float32)
    noise = density.sample_like(like, np.random.default_rng(0))
    assert noise.shape == like.shape
    assert noise.dtype == like.dtype
    assert stats.kstest(noise.flatten().numpy(), law.cdf).pvalue > 1e-3


def test_student_without_variance() -> None:
    with pytest.raises(ValueError, match="`degrees` must be more than 2"):
        StudentDensity(2)


def mixture(n: int, random: np.random.Generator) -> Tensor:
    chosen = random.choice(2, n, p=WEIGHTS)
    return torch.from_numpy(CENTRES[chosen] + DEVIATION * random.normal(size=n))[:, None]


def exact_score(law: Any) -> Any:
    """Of mixture plus noise, by quadrature: p'/p with p = int g(n) f(x - sigma n) dn."""
    points = np.linspace(-12, 12, 801)
    n = np.linspace(-30, 30, 1601)
    shifted = points[:, None, None] - SIGMA * n[:, None] - CENTRES
    parts = WEIGHTS * np.exp(-0.5 * (shifted / DEVIATION) ** 2)
    density = parts.sum(axis=2) @ law.pdf(n)
    slope = (-shifted / DEVIATION**2 * parts).sum(axis=2) @ law.pdf(n)
    return lambda x: np.interp(x, points, slope / density)


@each_density
def test_the_minimiser_is_the_score_of_the_noisy_mixture(density: NoiseDensity, law: Any) -> None:
    exact = exact_score(law)

    def loss(theta: Tensor, random: np.random.Generator) -> Tensor:
        def score(x: Tensor) -> Tensor:
            truth = torch.from_numpy(exact(x.numpy()))
            return torch.stack([truth, x.tanh(), (2 * x).sin()], dim=-1) @ theta

        clean = mixture(6000, random)
        return noise_score_matching(
            score, clean, SIGMA, density.sample_like(clean, random), density
        )

    theta, error, _ = fit_linear(loss, 3)
    assert ((theta - torch.tensor([1.0, 0, 0], dtype=F64)).abs() <= 5 * error).all(), (theta, error)
    assert (error < 0.02).all(), error


@each_density
def test_the_slope_on_gaussian_data(density: NoiseDensity, law: Any) -> None:  # noqa: ARG001
    """Whatever the noise, ``E[x s(x)] = -1``: the best slope is minus one over the variance."""

    def loss(theta: Tensor, random: np.random.Generator) -> Tensor:
        clean = torch.from_numpy(random.standard_normal((6000, 1)))
        noise = density.sample_like(clean, random)
        return noise_score_matching(lambda x: theta * x, clean, SIGMA, noise, density)

    theta, error, _ = fit_linear(loss, 1)
    assert abs(theta + 1 / (1 + SIGMA**2)) <= 5 * error
    assert error < 0.02
