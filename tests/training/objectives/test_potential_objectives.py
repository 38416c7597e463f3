"""Potentials: scores that are gradients, blind to the constant that normalises a density."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from invscore.networks import Potential, UNet
from invscore.training.objectives import (
    exact_divergence,
    implicit_score_matching,
    noise_score_matching,
    score_of,
)

F64 = torch.float64
X = torch.randn(5, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=F64)


def quartic(x: Tensor) -> Tensor:
    flat = x.flatten(1)
    return (flat**4).sum(dim=1) / 4 + flat[:, 0] * flat[:, 1]


def test_the_score_is_minus_the_gradient() -> None:
    flat = X.flatten(1)
    expected = -(flat**3)
    expected[:, 0] -= flat[:, 1]
    expected[:, 1] -= flat[:, 0]
    torch.testing.assert_close(score_of(quartic)(X).flatten(1), expected)


def test_its_divergence_is_minus_the_laplacian() -> None:
    _, divergence = exact_divergence(score_of(quartic), X)
    torch.testing.assert_close(divergence, -(3 * X**2).sum(dim=(1, 2, 3)))


def test_potentials_with_attention_learn() -> None:
    network = Potential(UNet(1, widths=(4, 6), blocks=1, embedding=8, attention=1)).double()
    nn.init.normal_(network.network.head.weight)
    score = score_of(lambda x: network.potential(x, torch.zeros(len(x), dtype=F64)))
    noise_score_matching(score, X, 0.5, torch.ones_like(X)).backward()
    assert all(w.grad is not None and w.grad.isfinite().all() for w in network.parameters())


def test_a_constant_changes_nothing() -> None:
    shifted = score_of(lambda x: quartic(x) + 7)
    torch.testing.assert_close(shifted(X), score_of(quartic)(X), rtol=0, atol=0)


@pytest.mark.parametrize("implicit", [True, False], ids=["implicit", "denoising"])
def test_a_network_learns_the_potential_of_a_mixture(implicit: bool) -> None:
    """Trained on samples, differences of a small network's potential are those of the log-density
    of two bumps."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    sigma, bump, centre = 0.5, 0.4, 1.2
    variance = bump**2 + sigma**2
    network = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 1)).double()

    def potential(x: Tensor) -> Tensor:
        return network(x)[:, 0] + x[:, 0] ** 2 / 2

    clean = torch.from_numpy(random.choice([-centre, centre], (4000, 1)))
    clean = clean + bump * torch.from_numpy(random.standard_normal((4000, 1)))
    noise = torch.from_numpy(random.standard_normal((4000, 1)))
    optimiser = torch.optim.LBFGS(network.parameters(), max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        score = score_of(potential)
        if implicit:
            loss = implicit_score_matching(score, clean + sigma * noise)
        else:
            loss = noise_score_matching(score, clean, sigma, noise)
        loss.backward()
        return loss

    optimiser.step(closure)
    x = torch.linspace(-2.2, 2.2, 45, dtype=F64)[:, None]
    exact = -(x[:, 0] ** 2) / (2 * variance) + (centre * x[:, 0] / variance).cosh().log()
    with torch.no_grad():
        learned = -potential(x)
    difference = (learned - learned.mean()) - (exact - exact.mean())
    assert exact.std() > 0.3
    assert difference.abs().max() < 0.15, difference
