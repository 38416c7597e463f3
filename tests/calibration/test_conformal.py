"""Conformal risk control: its definition, its case of one pixel, its guarantee."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from invscore.calibration.conformal import (
    conformal_factor,
    images_needed,
    left_out_factors,
    share_held,
)


def uniform(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    ("level", "count"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99), (0.85, 6)]
)
def test_images_needed(level: float, count: int) -> None:
    assert images_needed(level) == count
    errors = list(torch.arange(1.0, count + 1).reshape(-1, 1))
    assert conformal_factor(errors, level) == count
    with pytest.raises(
        ValueError, match=f"level {level:g} needs at least {count} images, got {count - 1}"
    ):
        conformal_factor(errors[1:], level)


@pytest.mark.parametrize("n", [9, 10, 18, 19, 20, 57, 100])
@pytest.mark.parametrize("level", [0.9, 0.75, 0.5])
def test_images_of_one_pixel_are_split_conformal_prediction(n: int, level: float) -> None:
    # Vovk et al. 2005: the ceil((n + 1) level)-th smallest of n errors.
    order = torch.randperm(n, generator=torch.Generator().manual_seed(n))
    errors = list((order + 1.0).reshape(-1, 1))
    assert conformal_factor(errors, level) == math.ceil((n + 1) * level - 1e-9)


def test_the_factor_is_the_smallest_with_the_bound() -> None:
    generator = torch.Generator().manual_seed(0)
    errors = [uniform(generator, 1 + 7 * k, 2) * (1 + k) for k in range(12)]
    for level in (0.6, 0.8, 0.9):
        factor = conformal_factor(errors, level)

        def bound(at: float) -> float:
            losses = [float((e > at).double().mean()) for e in errors]
            return (sum(losses) + 1) / (len(errors) + 1)

        assert bound(factor) <= 1 - level
        assert bound(factor * (1 - 1e-12)) > 1 - level


@pytest.mark.parametrize("n", [5, 6, 40])
def test_the_share_of_their_own_pixels_that_images_are_held_to(n: int) -> None:
    generator = torch.Generator().manual_seed(n)
    errors = [uniform(generator, 10**5) for _ in range(n)]
    held = float((torch.stack(errors) <= conformal_factor(errors, 0.8)).double().mean())
    assert held == pytest.approx(0.8 * (1 + 1 / n), abs=1e-5)
    assert share_held(n, 0.8) == pytest.approx(held, abs=1e-5)


def test_errors_that_are_equal() -> None:
    errors = [torch.tensor([1.0, 1.0, 2.0, 2.0])] * 9
    # With the factor 1, half of the pixels are outside: (9 / 2 + 1) / 10 = 0.55 is the bound.
    assert conformal_factor(errors, 0.45) == 1.0
    assert conformal_factor(errors, 0.46) == 2.0
    assert conformal_factor([torch.ones(5)] * 9, 0.9) == 1.0


@pytest.mark.parametrize(("n", "level"), [(9, 0.8), (30, 0.9)])
def test_the_guarantee(n: int, level: float) -> None:
    """The loss of a new image is at most 1 - level, and not much less, whatever pixels share."""
    generator = torch.Generator().manual_seed(1)
    trials, pixels = 1000, 4
    losses = []
    for _ in range(trials):
        scale = 0.1 + uniform(generator, n + 1, 1)  # of a whole image: its pixels are dependent
        errors = scale * uniform(generator, n + 1, pixels)
        factor = conformal_factor(list(errors[:n]), level)
        losses.append((errors[n] > factor).double().mean())
    loss = torch.stack(losses)
    error = float(loss.std()) / trials**0.5
    assert float(loss.mean()) < 1 - level + 4 * error
    # Angelopoulos et al. 2022, Theorem 2: never more than 2 / (n + 1) below.
    assert float(loss.mean()) > 1 - level - 2 / (n + 1) - 4 * error


def test_without_the_correction_the_guarantee_would_fail() -> None:
    """Pixels of one image with a common error: the case in which n images count as n numbers."""
    generator = torch.Generator().manual_seed(2)
    n, level, trials = 9, 0.8, 2000
    outside = []
    for _ in range(trials):
        errors = uniform(generator, n + 1, 1).expand(-1, 6)
        outside.append(float(errors[n, 0] > conformal_factor(list(errors[:n]), level)))
    # The 8th of 9 numbers: a tenth is above it twice in ten times.
    error = (0.2 * 0.8 / trials) ** 0.5
    assert sum(outside) / trials == pytest.approx(0.2, abs=4 * error)


def test_each_image_has_the_factor_of_the_others() -> None:
    errors = list(torch.tensor([[1.0], [2.0], [3.0], [10.0], [4.0]]))
    assert left_out_factors(errors, 0.8) == [10.0, 10.0, 10.0, 4.0, 10.0]


def test_errors_without_end() -> None:
    errors = [torch.tensor([1.0, math.inf])] * 9
    assert conformal_factor(errors, 0.9) == math.inf
    with pytest.raises(ValueError, match=r"`level` must lie in \(0, 1\), got 1"):
        conformal_factor(errors, 1.0)
