"""Denoising score matching on Gaussian data, where its minimiser is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from invscore.priors import NetworkPrior
from invscore.training.objectives import denoising_score_matching

F64 = torch.float64
SIGMA = 0.6


class Affine(nn.Module):
    """``F(x) = gain x + shift``, so that the prior's score is affine."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.3, dtype=F64))
        self.shift = nn.Parameter(torch.tensor(-0.2, dtype=F64))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002
        return self.gain * x + self.shift


def affine_prior() -> NetworkPrior:
    # The preconditioning knows neither the mean nor the spread of the data.
    return NetworkPrior(Affine(), channels=1, mean=0.4, sigma_data=0.5)


def sample(count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Standard normal images of one pixel, one noise level, unit noise."""
    generator = torch.Generator().manual_seed(seed)
    clean, noise = (torch.randn(2, count, 1, 1, 1, generator=generator, dtype=F64)).unbind()
    return clean, torch.full((count,), SIGMA, dtype=F64), noise


def test_the_minimiser_is_the_exact_score() -> None:
    count = 50_000
    prior, batch = affine_prior(), sample(count)
    optimiser = torch.optim.LBFGS(
        prior.parameters(), max_iter=50, tolerance_grad=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = denoising_score_matching(prior, *batch)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)
    x = torch.tensor([-1.5, 0.0, 2.0], dtype=F64).reshape(-1, 1, 1, 1)
    with torch.no_grad():
        score = prior.score(x, SIGMA).flatten()
    # D = x / (1 + s^2) leaves a residual of variance s^2 / (1 + s^2); the regression of x0 on x
    # has standard errors (residual / n)^(1/2) in its value at 0 and (residual / n / var x)^(1/2)
    # in its slope; the score is D over s^2.
    variance = 1 + SIGMA**2
    error = (SIGMA**2 / variance / count * (1 + x.flatten() ** 2 / variance)).sqrt() / SIGMA**2
    assert ((score + x.flatten() / variance).abs() <= 5 * error).all()
    assert error.max() < 0.02


def test_its_gradient_is_that_of_explicit_score_matching() -> None:
    """E |s_theta - grad log p_sigma|^2, weighted alike, differs by a constant."""
    count = 400_000
    prior, (clean, sigma, noise) = affine_prior(), sample(count, seed=1)
    parameters = list(prior.parameters())
    x = clean + SIGMA * noise
    weight = prior.loss_weight(sigma)[0] * SIGMA**4

    implicit = torch.autograd.grad(denoising_score_matching(prior, clean, sigma, noise), parameters)
    exact = -x / (1 + SIGMA**2)
    explicit = torch.autograd.grad(
        weight * ((prior.score(x, sigma) - exact) ** 2).mean(), parameters
    )
    # The two differ by the mean of 2 w / s^4 (E[x0 | x] - x0) dD/dtheta, of variance below.
    out = SIGMA * 0.5 / (SIGMA**2 + 0.25) ** 0.5
    residual = SIGMA**2 / (1 + SIGMA**2)
    inputs = ((x - 0.4) ** 2).mean() / (SIGMA**2 + 0.25)
    scale = 2 * float(prior.loss_weight(sigma)[0]) * out * (residual / count) ** 0.5
    assert abs(implicit[0] - explicit[0]) <= 5 * scale * inputs**0.5
    assert abs(implicit[1] - explicit[1]) <= 5 * scale
    assert abs(explicit[0]) > 30 * scale  # the gradients are far from zero


def test_the_weight_makes_the_loss_that_of_the_network() -> None:
    """``w |D - x0|^2 = |F - target|^2`` with the target of Karras et al. 2022, Eq. 8."""
    prior = affine_prior()
    generator = torch.Generator().manual_seed(2)
    clean, noise = torch.randn(2, 5, 1, 3, 2, generator=generator, dtype=F64).unbind()
    sigma = torch.tensor([0.01, 0.1, 0.5, 2.0, 15.0], dtype=F64)
    s = sigma.reshape(-1, 1, 1, 1)
    variance = s**2 + 0.25
    x = clean + s * noise - 0.4
    target = (clean - 0.4 - 0.25 / variance * x) / (s * 0.5 / variance.sqrt())
    expected = ((0.3 * x / variance.sqrt() - 0.2 - target) ** 2).mean()
    loss = denoising_score_matching(prior, clean, sigma, noise)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
