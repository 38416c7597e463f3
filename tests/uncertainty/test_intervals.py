"""Quantiles and intervals of samples, against order statistics and Student's law."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.special import stdtrit
from torch import Tensor

from invscore.uncertainty.intervals import (
    Interval,
    credible_interval,
    half_width,
    quantile,
    quantile_of_errors,
    relative_error,
)

F64 = torch.float64


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


@pytest.mark.parametrize(
    ("q", "expected"), [(0.1, 0.0), (0.5, 4.0), (0.25, 1.5), (0.37, 2.7), (0.9, 8.0)]
)
def test_quantiles_lie_between_order_statistics(q: float, expected: float) -> None:
    samples = torch.tensor([4.0, 0, 8, 2, 6, 1, 7, 3, 5], dtype=F64)[:, None]
    assert float(quantile(samples, q)) == pytest.approx(expected)
    assert float(quantile(10 - 2 * samples, 1 - q)) == pytest.approx(10 - 2 * expected)


@pytest.mark.parametrize("q", [0.2, 0.3, 0.8])
def test_a_further_sample_is_below_the_quantile_with_its_probability(q: float) -> None:
    samples = torch.special.ndtr(
        normal(5, 40_000)
    )  # uniform, so that a quantile is its probability
    below = quantile(samples, q)
    assert float(below.mean()) == pytest.approx(q, abs=4 * float(below.std()) / 200)


@pytest.mark.parametrize("q", [0.09, 0.91, 0.0, 1.0, math.nan])
def test_quantiles_that_samples_do_not_tell(q: float) -> None:
    with pytest.raises(ValueError, match=r"`q` must lie in \[0.1, 0.9\] for 9 samples, got "):
        quantile(torch.zeros(9, 2), q)


def test_the_median_of_two_samples_is_their_mean() -> None:
    samples = normal(2, 3, 4)
    torch.testing.assert_close(quantile(samples, 0.5), samples.mean(dim=0))


def test_neighbours_tell_of_intervals_of_real_images_alone() -> None:
    """Numbers of volumes and complex images have Student's law of 3 degrees of freedom each."""
    volume = normal(4, 1, 1, 6, 16, 16)
    planes = torch.view_as_complex(normal(4, 1, 1, 16, 16, 2))
    for samples in (volume, planes):
        parts = torch.view_as_real(samples) if samples.is_complex() else samples
        alone = stdtrit(3, 0.95) * 1.25**0.5 * parts.std(dim=0)
        torch.testing.assert_close(half_width(samples, 0.9), alone)
    image = volume[:, :, :, 0]
    alone = stdtrit(3, 0.95) * 1.25**0.5 * image.std(dim=0)
    assert float(half_width(image, 0.9).mean()) < 0.85 * float(alone.mean())


def test_two_samples_have_an_interval_by_the_law_of_cauchy() -> None:
    # Student's law with one degree of freedom has the quantile tan(pi (p - 1 / 2)).
    samples = torch.tensor([[1.0], [3.0]], dtype=F64)
    half = math.tan(math.pi * 0.45) * 1.5**0.5 * 2**0.5
    lower, upper = credible_interval(samples, 0.9)
    assert (float(lower), float(upper)) == pytest.approx((2 - half, 2 + half))
    wider = credible_interval(samples, 0.9, factor=1.5)
    assert float(wider.width) == pytest.approx(3 * half)


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_the_interval_of_gaussian_samples_holds_its_level(n: int, level: float) -> None:
    pixels = 40_000
    drawn = 3 + 0.2 * normal(n + 1, pixels, seed=n)
    held = credible_interval(drawn[1:], level).contains(drawn[0]).double().mean()
    error = (level * (1 - level) / pixels) ** 0.5
    assert float(held) == pytest.approx(level, abs=4 * error)


def test_parts_of_complex_images_are_apart() -> None:
    real, imaginary = normal(5, 6), normal(5, 6, seed=1)
    samples = torch.complex(real, 10 * imaginary)
    interval = credible_interval(samples, 0.8)
    expected = credible_interval(10 * imaginary, 0.8)
    torch.testing.assert_close(interval.lower.real, credible_interval(real, 0.8).lower)
    torch.testing.assert_close(interval.upper.imag, expected.upper)
    mean_width = (credible_interval(real, 0.8).width + expected.width) / 2
    torch.testing.assert_close(interval.width, mean_width)
    torch.testing.assert_close(quantile(samples, 0.3).imag, 10 * quantile(imaginary, 0.3))
    torch.testing.assert_close(quantile(samples, 0.3).real, quantile(real, 0.3))

    beside = interval.upper.real + 1 + 1j * samples.mean(dim=0).imag
    assert not interval.contains(beside)[..., 0].any()
    assert interval.contains(beside)[..., 1].all()


def test_ends_belong_to_the_interval() -> None:
    interval = Interval(torch.zeros(4), torch.ones(4))
    inside = interval.contains(torch.tensor([-0.1, 0.0, 1.0, 1.1]))
    assert inside.tolist() == [False, True, True, False]


@pytest.mark.parametrize("complex_", [False, True])
def test_the_relative_error_is_the_factor_that_reaches_the_truth(complex_: bool) -> None:
    samples, truth = normal(4, 50), normal(50, seed=1)
    if complex_:
        samples, truth = torch.complex(samples, samples.roll(1)), torch.complex(truth, -truth)
    errors = relative_error(samples, truth, 0.7)
    middle = float(errors.flatten().sort().values[errors.numel() // 2])
    for factor in (middle * (1 - 1e-9), middle * (1 + 1e-9)):
        held = credible_interval(samples, 0.7, factor).contains(truth)
        assert torch.equal(held, errors <= factor)


def test_samples_that_agree() -> None:
    samples = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    assert relative_error(samples, torch.tensor([0.0, 1.5]), 0.9).tolist() == [0.0, math.inf]


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, 90.0, math.nan])
def test_levels_are_probabilities(level: float) -> None:
    with pytest.raises(ValueError, match=r"`level` must lie in \(0, 1\), got .*"):
        credible_interval(torch.zeros(3, 1), level)


def test_one_sample_has_no_interval() -> None:
    with pytest.raises(ValueError, match="`samples` must hold at least 2 for an interval, got 1"):
        credible_interval(torch.zeros(1, 3), 0.9)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_ends_of_a_known_deviation_are_those_of_a_log_normal_variance(level: float) -> None:
    """By a fine sum over its logarithm; with a Gaussian variance, Student's law."""
    u = torch.linspace(-8, 8, 20001, dtype=F64)
    weights = torch.exp(-(u**2) / 2)
    end = quantile_of_errors(level, 1e9, 1.2)
    chances = torch.special.erf(end / (2 * torch.exp(1.2 * u - 1.2**2 / 2)).sqrt())
    assert float((weights * chances).sum() / weights.sum()) == pytest.approx(level, abs=1e-3)
    gaussian = float(stdtrit(7.0, (1 + level) / 2))
    assert quantile_of_errors(level, 7.0) == pytest.approx(gaussian)
    assert quantile_of_errors(level, 7.0, 1e-4) == pytest.approx(gaussian, rel=1e-3)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_errors_of_heavy_tails_are_held(level: float) -> None:
    """A million pixels, five samples each: variances of errors are log-normal, samples Gaussian."""
    generator = torch.Generator().manual_seed(3)
    samples = torch.randn(5, 10**6, generator=generator)
    logarithm = 1.2 * torch.randn(10**6, generator=generator)
    # The truth errs from the mean of the law; the samples' own mean by 1 / 5 of a variance more.
    gaussian = torch.randn(10**6, generator=generator) * 1.2**0.5
    errors = gaussian * ((logarithm - 1.2**2 / 2) / 2).exp()
    half = half_width(samples, level, tails=1.2)
    held = float((errors.abs() <= half).double().mean())
    assert held == pytest.approx(level, abs=2.5e-3)
