"""Distances against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from invscore.bench.posterior.metrics import (
    gaussian_scores,
    interval_mass,
    sliced_wasserstein,
    total_variation,
)

SLICE_ERROR = 0.1  # four standard errors of a mean over 1000 directions, relative


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def directions() -> torch.Generator:
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize("d", [1, 3, 50])
def test_sliced_distance_of_shifted_samples(d: int) -> None:
    """In direction u it is |u . shift|, whose mean over the sphere is a ratio of gammas."""
    x, shift = randn(500, d), 2.0
    moved = x + shift / d**0.5
    share = math.exp(math.lgamma(d / 2) - math.lgamma((d + 1) / 2)) / math.pi**0.5
    distance = sliced_wasserstein(x, moved[torch.randperm(500)], directions())
    assert distance == pytest.approx(shift * share, rel=SLICE_ERROR)


def test_sliced_distance_of_scaled_samples() -> None:
    """Between N(0, I) and N(0, 9 I) it is 2 E|z| in every direction, z standard normal."""
    x = randn(1500, 2, 3)
    distance = sliced_wasserstein(x, 3 * x, directions())
    assert distance == pytest.approx(2 * (2 / math.pi) ** 0.5, rel=0.03)
    assert sliced_wasserstein(x, x.flip(0), directions()) < 1e-12


def test_total_variation() -> None:
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.25, 0.5])
    assert total_variation(p, q) == pytest.approx(0.5)
    assert total_variation(p, p) == 0


@pytest.mark.parametrize("n", [19, 50, 200])
def test_intervals_of_exact_samples_hold_nine_tenths(n: int) -> None:
    mass = interval_mass(randn(n, 4000, seed=n))
    assert abs(float(mass.mean()) - 0.9) < 4 * float(mass.std()) / 4000**0.5


def test_intervals_of_wide_samples_hold_more() -> None:
    expected = math.erf(2 * 1.6448536 / 2**0.5)
    assert float(interval_mass(2 * randn(2000, 500)).mean()) == pytest.approx(expected, abs=2e-4)


def test_scores_of_exact_samples_of_a_gaussian() -> None:
    n, mean, std = 400, randn(30, 100), 0.2 + randn(30, 100, seed=1).abs()
    scores = gaussian_scores(mean + std * randn(n, 30, 100, seed=2), mean, std)
    assert scores["marginals"] == pytest.approx((1.5 / n) ** 0.5, rel=0.06)
    assert scores["mean"] == pytest.approx(n**-0.5, rel=0.06)
    assert scores["variance"] == pytest.approx((2 / (n - 1)) ** 0.5, rel=0.06)
    assert scores["coverage"] == pytest.approx(0.9, abs=0.003)


def test_scores_of_biased_samples_of_a_gaussian() -> None:
    mean, std = randn(50), 0.2 + randn(50, seed=1).abs()
    scores = gaussian_scores(mean + std * (0.5 + 2 * randn(20_000, 50, seed=2)), mean, std)
    assert scores["marginals"] == pytest.approx(1.25**0.5, rel=0.02)
    assert scores["mean"] == pytest.approx(0.5, rel=0.02)
    assert scores["variance"] == pytest.approx(3, rel=0.02)
    assert gaussian_scores(mean.expand(20, 50), mean, std) == {
        "marginals": 1.0,
        "mean": 0.0,
        "variance": 1.0,
        "coverage": 0.0,
    }
