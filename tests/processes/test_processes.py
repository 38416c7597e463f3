"""Every process against closed forms on Gaussian data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore.priors import GaussianMixturePrior, GaussianPrior
from invscore.processes import (
    VE,
    VP,
    FlowMatching,
    Homotopy,
    OrnsteinUhlenbeck,
    Process,
    SubVP,
    VPCosine,
)
from invscore.rng import SampleRNG

F64 = torch.float64
PROCESSES: list[Process] = [
    VE(0.01, 30.0),
    VP(),
    VP(3.0, 3.0),
    SubVP(),
    VPCosine(),
    OrnsteinUhlenbeck(),
    OrnsteinUhlenbeck(0.7, 1.3),
    FlowMatching(),
    Homotopy(),
]
everyone = pytest.mark.parametrize("process", PROCESSES, ids=repr)

MEAN, VARIANCE = 0.8, 0.5
PRIOR = GaussianPrior(torch.full((1,), MEAN, dtype=F64), VARIANCE)
COUNT = 20_000


def between(process: Process, count: int = 9) -> Tensor:
    """Times inside the range, away from its ends."""
    low, high = sorted((process.data, process.noise))
    return low + (high - low) * torch.linspace(0.04, 0.96, count, dtype=F64)


def path(process: Process, steps: int, first: float, last: float) -> list[float]:
    """Times of noise levels from ``first`` to ``last``."""
    times: list[float] = process.time(torch.from_numpy(np.geomspace(first, last, steps))).tolist()
    return times


@everyone
def test_drift_and_diffusion_are_those_of_the_marginals(process: Process) -> None:
    t, h = between(process), 1e-6
    at, forwards = process.at(t), 1.0 if process.noise > process.data else -1.0

    def slope(values: Any) -> Tensor:
        return (values(t + h) - values(t - h)) / (2 * h)

    torch.testing.assert_close(at.drift, slope(process.alpha) / at.alpha, rtol=1e-7, atol=1e-8)
    growth = slope(lambda t: process.sigma(t) ** 2) - 2 * at.drift * at.sigma**2
    torch.testing.assert_close(at.diffusion, forwards * growth, rtol=1e-6, atol=1e-8)


@everyone
def test_the_ends(process: Process) -> None:
    data, noise = process.at(process.data), process.at(process.noise)
    assert data.alpha.item() == pytest.approx(1, abs=1e-12)
    assert data.sigma.item() == pytest.approx(getattr(process, "sigma_min", 0), abs=1e-9)
    assert noise.alpha.item() < 0.23 or noise.sigma.item() > 20
    assert data.alpha.dtype == F64


@pytest.mark.parametrize(
    ("process", "t", "alpha", "sigma"),
    [
        (VE(0.01, 1.0), 0.5, 1.0, 0.1),
        (VP(), 0.5, np.exp(-1.26875), (1 - np.exp(-2.5375)) ** 0.5),
        (SubVP(), 0.5, np.exp(-1.26875), 1 - np.exp(-2.5375)),
        (VPCosine(0.0), 0.5, 0.5**0.5, 0.5**0.5),
        (OrnsteinUhlenbeck(), 1.0, np.exp(-1), (1 - np.exp(-2)) ** 0.5),
        (OrnsteinUhlenbeck(0.5, 2.0), 1.0, np.exp(-0.5), (8 * (1 - np.exp(-1))) ** 0.5),
        (FlowMatching(), 0.25, 0.75, 0.25),
        (Homotopy(), 0.36, 0.6, 0.8),
    ],
    ids=repr,
)
def test_values_worked_out_by_hand(process: Process, t: float, alpha: float, sigma: float) -> None:
    at = process.at(t)
    assert at.alpha.item() == pytest.approx(alpha, rel=1e-12)
    assert at.sigma.item() == pytest.approx(sigma, rel=1e-12)


@everyone
def test_small_noise_keeps_its_digits(process: Process) -> None:
    if not isinstance(process, VE):
        levels = torch.tensor([1e-5, 1e-3], dtype=F64)
        torch.testing.assert_close(process.level(process.time(levels)), levels, rtol=1e-5, atol=0)


@everyone
def test_conversions_invert(process: Process) -> None:
    t = between(process)
    torch.testing.assert_close(process.time(process.level(t)), t, rtol=1e-9, atol=1e-9)
    x = torch.randn(len(t), 2, 3, dtype=F64, generator=torch.Generator().manual_seed(0))
    there, level = process.to_ve(x, t)
    back, time = process.from_ve(there, level)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(time, t, rtol=1e-9, atol=1e-9)


@everyone
def test_the_marginal_in_ve_coordinates_is_data_plus_noise(process: Process) -> None:
    clean, t = torch.tensor([[0.3], [0.4]], dtype=F64), between(process, 2)
    rng = SampleRNG([(0,), (1,)])
    x, level = process.to_ve(process.marginal(clean, t, SampleRNG([(0,), (1,)])), t)
    torch.testing.assert_close(x, clean + level[:, None] * rng.normal_like(clean))


@everyone
def test_complex_images_and_single_precision(process: Process) -> None:
    clean = torch.full((2, 3), 0.5 + 0.25j)
    t = float(between(process, 1))
    x = process.mix(clean, torch.zeros_like(clean), t)
    assert x.dtype == torch.complex64
    torch.testing.assert_close(x, process.alpha(t).float() * clean)


@everyone
def test_the_score_is_that_of_the_marginal(process: Process) -> None:
    t = between(process)
    x = torch.linspace(-2, 3, len(t), dtype=F64)[:, None]
    at = process.at(t)
    variance = at.alpha**2 * VARIANCE + at.sigma**2
    expected = -(x[:, 0] - at.alpha * MEAN) / variance
    torch.testing.assert_close(process.score(PRIOR.denoise, x, t)[:, 0], expected)


@everyone
def test_reverse_drift_and_velocity_by_their_formulas(process: Process) -> None:
    t = between(process)
    x = torch.linspace(-2, 3, len(t), dtype=F64)[:, None]
    forwards = 1.0 if process.noise > process.data else -1.0
    score = process.score(PRIOR.denoise, x, t)
    f, g2 = (c[:, None] for c in (process.drift(t), forwards * process.diffusion(t)))
    drift, velocity = (
        function(PRIOR.denoise, x, t) for function in (process.reverse_drift, process.velocity)
    )
    torch.testing.assert_close(drift, f * x - g2 * score, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(velocity, f * x - g2 * score / 2, rtol=1e-6, atol=1e-8)


def test_the_velocity_of_flow_matching_is_the_mean_of_noise_less_data() -> None:
    """``E[z - x_0 | x_t]`` by its regression on x_t."""
    t, x = 0.3, torch.tensor([[0.2]], dtype=F64)
    variance = 0.49 * VARIANCE + 0.09
    slope = (0.3 - 0.7 * VARIANCE) / variance
    expected = -MEAN + slope * (x - 0.7 * MEAN)
    torch.testing.assert_close(FlowMatching().velocity(PRIOR.denoise, x, t), expected)


def assert_normal(x: Tensor, mean: float, variance: float, slack: float = 0.0) -> None:
    """Mean and variance within five standard errors, and ``slack`` for the steps' own error."""
    error = abs(float(x.mean()) - mean) / variance**0.5
    assert error < 5 / len(x) ** 0.5 + slack, f"mean off by {error:.3f} standard deviations"
    ratio = float(x.var()) / variance
    assert abs(ratio - 1) < 5 * (2 / len(x)) ** 0.5 + 2 * slack, f"variance off by {ratio:.3f}"


def last(states: Any) -> Tensor:
    *_, x = states
    return x


@everyone
def test_the_forward_equation_has_the_marginals(process: Process, one_stream: Any) -> None:
    rng = one_stream(0)
    clean = MEAN + VARIANCE**0.5 * rng.normal_like(torch.zeros(COUNT, 1, dtype=F64))
    times = path(process, 200, 0.02, 5.0)
    x = last(process.forward(process.marginal(clean, times[0], rng), times, rng))
    at = process.at(times[-1])
    variance = float(at.alpha**2 * VARIANCE + at.sigma**2)
    assert_normal(x, float(at.alpha) * MEAN, variance, slack=0.02)


@everyone
def test_the_reverse_equation_returns_to_the_data(process: Process, one_stream: Any) -> None:
    rng = one_stream(1)
    times = path(process, 200, 20.0, 0.02)
    noise = rng.normal_like(torch.zeros(COUNT, 1, dtype=F64))
    clean = MEAN + VARIANCE**0.5 * rng.normal_like(noise)
    x = last(process.reverse(PRIOR.denoise, process.mix(clean, noise, times[0]), times, rng))
    assert_normal(x / process.alpha(times[-1]), MEAN, VARIANCE, slack=0.02)


@everyone
def test_the_flow_carries_quantiles_to_quantiles(process: Process) -> None:
    """In one dimension the flow is monotone: k deviations from the mean stay k deviations."""
    deviations = torch.linspace(-2, 2, 5, dtype=F64)[:, None]
    for ends in ((20.0, 0.02), (0.02, 20.0)):
        times = path(process, 200, *ends)
        first, final = (process.at(t) for t in (times[0], times[-1]))

        def spread(at: Any) -> Tensor:
            variance: Tensor = at.alpha**2 * VARIANCE + at.sigma**2
            return variance.sqrt()

        start = first.alpha * MEAN + spread(first) * deviations
        x = last(process.flow(PRIOR.denoise, start, times))
        arrived = (x - final.alpha * MEAN) / spread(final)
        torch.testing.assert_close(arrived, deviations, rtol=0, atol=2e-3)


@everyone
def test_reverse_equation_and_flow_find_the_modes(process: Process, one_stream: Any) -> None:
    means = torch.tensor([[-2.0], [2.0]], dtype=F64)
    mixture = GaussianMixturePrior(means, 0.04, torch.tensor([0.3, 0.7], dtype=F64))
    rng, count = one_stream(2), 4000
    times = path(process, 120, 20.0, 0.02)
    right = torch.arange(count)[:, None] < 0.7 * count
    clean = torch.where(right, 2.0, -2.0) + 0.2 * rng.normal_like(torch.zeros(count, 1, dtype=F64))
    start = process.marginal(clean, times[0], rng)
    for states in (
        process.reverse(mixture.denoise, start, times, rng),
        process.flow(mixture.denoise, start, times),
    ):
        x = last(states)[:, 0] / process.alpha(times[-1])
        right = x > 0
        assert abs(float(right.double().mean()) - 0.7) < 5 * (0.21 / count) ** 0.5
        assert float(x[right].mean()) == pytest.approx(2, abs=0.03)
        assert float(x[right].std()) == pytest.approx(0.2, rel=0.08)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VE(0.0, 1.0), "must satisfy 0 < sigma_min < sigma_max, got 0.0 and 1.0"),
        (lambda: VP(5.0, 1.0), "must satisfy 0 < beta_min <= beta_max, got 5.0 and 1.0"),
        (lambda: SubVP(0.0, 1.0), "must satisfy 0 < beta_min <= beta_max, got 0.0 and 1.0"),
        (lambda: VPCosine(-0.1), "`offset` must be at least 0, got -0.1"),
        (lambda: OrnsteinUhlenbeck(rate=0.0), "must be positive numbers, got 0.0 and 1.0"),
    ],
)
def test_wrong_parameters(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_one_time_an_image_or_one_for_all() -> None:
    with pytest.raises(
        ValueError, match=r"`t` must be a number or of shape \(2,\), got the shape \(3,\)"
    ):
        VP().mix(torch.zeros(2, 1), torch.zeros(2, 1), torch.ones(3))
