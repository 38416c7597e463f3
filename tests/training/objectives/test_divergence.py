"""Divergences and implicit losses against matrices, traces and networks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore.networks import build_network
from invscore.priors import NetworkPrior
from invscore.training.objectives import (
    exact_divergence,
    hutchinson_divergence,
    hutchinson_score_matching,
    implicit_score_matching,
    random_signs,
    sliced_score_matching,
)

F64 = torch.float64
GENERATOR = torch.Generator().manual_seed(0)
MATRIX = torch.randn(6, 6, generator=GENERATOR, dtype=F64)
X = torch.randn(4, 1, 2, 3, generator=GENERATOR, dtype=F64)
V = torch.randn(4, 1, 2, 3, generator=GENERATOR, dtype=F64)


def linear(x: Tensor) -> Tensor:
    return (x.flatten(1) @ MATRIX.T).reshape(x.shape)


def curved(x: Tensor) -> Tensor:
    return linear(x.sin()) + x**3


def traces(x: Tensor) -> Tensor:
    """Of the Jacobian of ``curved``."""
    return (MATRIX.diagonal() * x.flatten(1).cos() + 3 * x.flatten(1) ** 2).sum(dim=1)


def test_exact() -> None:
    value, divergence = exact_divergence(curved, X)
    torch.testing.assert_close(value, curved(X))
    torch.testing.assert_close(divergence, traces(X))


def test_hutchinson_of_one_probe() -> None:
    value, estimate = hutchinson_divergence(linear, X, V)
    flat = V.flatten(1)
    torch.testing.assert_close(value, linear(X))
    torch.testing.assert_close(estimate, torch.einsum("bi,ij,bj->b", flat, MATRIX, flat))


@pytest.mark.parametrize("signs", [True, False], ids=["signs", "normal"])
def test_hutchinson_has_the_mean_and_variance_of_theory(signs: bool) -> None:
    count, random = 40_000, np.random.default_rng(0)
    x = X[:1].expand(count, -1, -1, -1)
    probe = random_signs(x, random) if signs else torch.from_numpy(random.normal(size=x.shape))
    _, estimate = hutchinson_divergence(linear, x, probe)
    symmetric = (MATRIX + MATRIX.T) / 2
    if signs:  # the diagonal adds nothing
        symmetric = symmetric - symmetric.diagonal().diag()
    variance = 2 * symmetric.square().sum()
    trace = MATRIX.diagonal().sum()
    assert abs(estimate.mean() - trace) <= 5 * (variance / count).sqrt()
    assert estimate.var().item() == pytest.approx(variance.item(), rel=0.05)


def test_random_signs() -> None:
    signs = random_signs(torch.zeros(1000, 50, dtype=torch.float32), np.random.default_rng(1))
    assert signs.dtype == torch.float32
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    assert abs(signs.mean()) <= 5 / 50_000**0.5
    # Pixels are independent.
    assert (torch.cov(signs.T) - torch.eye(50)).abs().max() <= 5 / 1000**0.5


def test_the_losses_of_a_linear_score() -> None:
    """|Ax|^2 + 2 tr A and its estimates, each divided by the number of pixels."""
    squares = linear(X).square().sum(dim=(1, 2, 3))
    quadratic = (V * linear(V)).sum(dim=(1, 2, 3))
    projected = (V * linear(X)).sum(dim=(1, 2, 3))
    expected = {
        implicit_score_matching(linear, X): squares + 2 * MATRIX.diagonal().sum(),
        hutchinson_score_matching(linear, X, V): squares + 2 * quadratic,
        sliced_score_matching(linear, X, V): projected**2 + 2 * quadratic,
    }
    for found, losses in expected.items():
        assert found.item() == pytest.approx(losses.mean().item() / 6, rel=1e-12)


def test_the_gradient_reaches_the_weights_of_a_network() -> None:
    """Down a real network, the loss falls as fast as its gradient says."""
    torch.manual_seed(0)
    network = build_network("unet", channels=1, widths=[4, 8], blocks=1, embedding=8).double()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)  # the last layer starts at 0
    prior = NetworkPrior(network, channels=1)
    x = 0.5 + 0.3 * torch.randn(2, 1, 8, 8, dtype=F64)
    probe = random_signs(x, np.random.default_rng(0))

    def loss() -> Tensor:
        return hutchinson_score_matching(lambda x: prior.score(x, 0.5), x, probe)

    gradients = torch.autograd.grad(loss(), list(network.parameters()))
    directions = [torch.randn_like(gradient) for gradient in gradients]
    products = [(g * d).sum() for g, d in zip(gradients, directions, strict=True)]
    slope = torch.stack(products).sum()

    def moved(step: float) -> Tensor:
        with torch.no_grad():
            for weight, direction in zip(network.parameters(), directions, strict=True):
                weight += step * direction
        return loss()

    step = 1e-6
    difference = (moved(step) - moved(-2 * step)) / (2 * step)
    assert difference.item() == pytest.approx(slope.item(), rel=1e-5)
    assert abs(slope.item()) > 1e-3
