"""Unconditional steps: their bookkeeping of variance, and the law that they sample."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore import levels
from invscore.priors import GaussianPrior
from invscore.rng import SampleRNG
from invscore.sampling import ddim_step, langevin_step

F64 = torch.float64
X0, NOISE = torch.tensor([[0.3]], dtype=F64), torch.tensor([[1.7]], dtype=F64)


class Always(SampleRNG):
    """Random numbers that are all alike."""

    def __init__(self, value: float | None) -> None:
        self.value = value

    def normal_like(self, x: Tensor) -> Tensor:
        assert self.value is not None, "no random number was to be drawn"
        return torch.full_like(x, self.value)


def step(sigma: float, lower: float, eta: float, z: float | None) -> Tensor:
    """The step from ``x0 + sigma n`` with x0 known."""
    return ddim_step(X0 + sigma * NOISE, X0, sigma, lower, eta, Always(z))


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("sigma", "lower"), [(20.0, 19.0), (1.0, 0.1), (0.1, 0.0)])
def test_old_and_fresh_noise_make_the_lower_level(sigma: float, lower: float, eta: float) -> None:
    kept = (step(sigma, lower, eta, 0.0) - X0) / NOISE
    fresh = step(sigma, lower, eta, 1.0) - step(sigma, lower, eta, 0.0)
    assert (kept**2 + fresh**2).item() == pytest.approx(lower**2, rel=1e-10, abs=1e-20)
    assert kept.item() >= 0
    assert (fresh.item() > 0) == (eta * lower > 0)


def test_deterministic_without_eta() -> None:
    assert torch.equal(step(2.0, 1.0, 0.0, None), X0 + 1.0 * NOISE)
    torch.testing.assert_close(step(2.0, 0.0, 1.0, None), X0)


@pytest.mark.parametrize("time", [2, 100, 1000])
def test_eta_one_is_the_ancestral_step(time: int) -> None:
    """Ho et al. 2020, Eq. 7, in their coordinates ``sqrt(abar_t) x``."""
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=F64)
    abar = (1 - betas).cumprod(0)
    beta, now, then = betas[time - 1], abar[time - 1], abar[time - 2]
    sigma, lower = (((1 - a) / a).sqrt().item() for a in (now, then))
    x_t = now.sqrt() * (X0 + sigma * NOISE)
    mean = then.sqrt() * beta / (1 - now) * X0 + (1 - beta).sqrt() * (1 - then) / (1 - now) * x_t
    deviation = ((1 - then) / (1 - now) * beta).sqrt()
    torch.testing.assert_close(then.sqrt() * step(sigma, lower, 1.0, 0.0), mean)
    torch.testing.assert_close(then.sqrt() * step(sigma, lower, 1.0, -2.0), mean - 2 * deviation)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_exact_denoiser_samples_the_data(eta: float, one_stream: Any) -> None:
    count = 20_000
    covariance = torch.tensor([[0.5, 0.3], [0.3, 0.4]], dtype=F64)
    prior = GaussianPrior(torch.tensor([0.5, -1.0], dtype=F64), covariance)
    rng = one_stream(0)
    sigmas = levels.karras(400, 60.0, 0.005)
    x = sigmas[0] * rng.normal_like(torch.zeros(count, 2, dtype=F64))
    for sigma, lower in pairwise(sigmas):
        x = ddim_step(x, prior.denoise(x, sigma), sigma, lower, eta, rng)
    deviations = covariance.diagonal().sqrt()
    errors = (x.mean(dim=0) - prior.mean).abs() / deviations
    assert (errors < 5 / count**0.5 + 0.015).all(), errors  # it began at mean 0, not at the mean
    scale = deviations[:, None] * deviations
    errors = (torch.cov(x.T) - covariance).abs() / scale
    assert (errors < 5 * (2 / count) ** 0.5 + 0.02).all(), errors


@pytest.mark.parametrize("time", [0.01, 0.5, 4.0])
def test_langevin_ends_with_the_noise_of_its_level(time: float) -> None:
    def landed(z: float) -> Tensor:
        return langevin_step(X0 + 2.0 * NOISE, X0, 2.0, 0.5, time, Always(z))

    kept, fresh = (landed(0.0) - X0) / NOISE, landed(1.0) - landed(0.0)
    assert (kept**2 + fresh**2).item() == pytest.approx(0.25, rel=1e-10)
    assert kept.item() == pytest.approx(0.5 * 2.718281828459045**-time, rel=1e-10)


def test_langevin_is_euler_to_first_order() -> None:
    """``x + a score + sqrt(2 a) z`` with ``a = time sigma^2``."""
    sigma, time, z = 1.3, 1e-6, 0.8
    x = X0 + sigma * NOISE
    euler = x + time * (X0 - x) + (2 * time) ** 0.5 * sigma * z
    stepped = langevin_step(x, X0, sigma, sigma, time, Always(z))
    torch.testing.assert_close(stepped, euler, rtol=1e-8, atol=0)
