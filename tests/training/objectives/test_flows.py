"""Processes, flows and bridges are each other's special cases; pairings against brute force."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from linear_fits import fit_linear
from torch import Tensor

from invscore.processes import VP, FlowMatching
from invscore.training.objectives import (
    bridge_matching,
    explicit_score_matching,
    flow_matching,
    noise_score_matching,
    optimal_pairing,
    process_score_matching,
)

F64 = torch.float64
RANDOM = np.random.default_rng(0)
CLEAN, NOISE, WIGGLE = torch.from_numpy(RANDOM.standard_normal((3, 5, 1, 2, 2)))
T = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9], dtype=F64)
COLUMN = T.reshape(-1, 1, 1, 1)


def score(x: Tensor, t: Tensor) -> Tensor:
    return -x.sinh() * (1 + t.reshape(-1, 1, 1, 1))


def velocity(x: Tensor, t: Tensor) -> Tensor:
    column = t.reshape(-1, 1, 1, 1)
    return -(x + column * score(x, t)) / (1 - column)


def test_a_weighted_match_by_hand() -> None:
    x, truth = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [5.0]])
    weight = torch.tensor([1.0, 10.0])
    loss = explicit_score_matching(lambda x: 2 * x, x, truth, weight)
    assert loss.item() == (1 * 2**2 + 10 * 1**2) / 2


def test_a_score_of_another_shape() -> None:
    x = torch.zeros(4, 1)
    with pytest.raises(ValueError, match=r"the shape of its target, \(4, 1\), got \(4,\)"):
        explicit_score_matching(lambda x: x[:, 0], x, x)


def test_a_process_at_one_time_is_denoising() -> None:
    process, time = VP(), torch.full((5,), 0.4, dtype=F64)
    alpha, sigma = float(process.alpha(0.4)), float(process.sigma(0.4))
    found = process_score_matching(
        score,
        CLEAN,
        time,
        NOISE,
        alpha=process.alpha,
        sigma=process.sigma,
        weight=lambda t: 3 * torch.ones_like(t),
    )
    expected = noise_score_matching(lambda x: score(x, time), alpha * CLEAN, sigma, NOISE)
    assert found.item() == pytest.approx(3 * expected.item(), rel=1e-12)


def test_a_flow_is_a_process_with_a_weight() -> None:
    process = FlowMatching()
    expected = process_score_matching(
        score,
        CLEAN,
        T,
        NOISE,
        alpha=process.alpha,
        sigma=process.sigma,
        weight=lambda t: (t / (1 - t)) ** 2,
    )
    found = flow_matching(velocity, CLEAN, T, NOISE)
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)


def test_a_narrow_bridge_is_a_flow() -> None:
    found = bridge_matching(velocity, score, CLEAN, T, NOISE, WIGGLE, spread=0.0)
    expected = flow_matching(velocity, CLEAN, T, NOISE) + (WIGGLE**2).mean()
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)


def test_the_velocity_of_a_bridge_is_its_derivative() -> None:
    """A field that knows a single bridge's path has no loss."""
    spread, step = 0.7, 1e-6

    def path(t: Tensor) -> Tensor:
        return (1 - t) * CLEAN + t * NOISE + spread * (t * (1 - t)).sqrt() * WIGGLE

    def along(x: Tensor, _: Tensor) -> Tensor:
        torch.testing.assert_close(x, path(COLUMN))
        return (path(COLUMN + step) - path(COLUMN - step)) / (2 * step)

    def pull(x: Tensor, _: Tensor) -> Tensor:
        middle = (1 - COLUMN) * CLEAN + COLUMN * NOISE
        return (middle - x) / (spread**2 * COLUMN * (1 - COLUMN))

    loss = bridge_matching(along, pull, CLEAN, T, NOISE, WIGGLE, spread=spread)
    assert 0 <= loss.item() < 1e-15


def test_no_pairing_is_closer() -> None:
    clean, noise = CLEAN, NOISE
    paired = optimal_pairing(clean, noise)
    costs = [((clean - noise[list(order)]) ** 2).sum() for order in permutations(range(5))]
    assert ((clean - paired) ** 2).sum().item() == pytest.approx(min(costs).item(), rel=1e-12)
    assert ((clean - noise) ** 2).sum() > min(costs)
    # The same noises, each once.
    order = (paired.flatten(1)[:, None] == noise.flatten(1)).all(dim=2).float()
    assert (order.sum(0) == 1).all()
    assert (order.sum(1) == 1).all()


def test_pairs_in_mixed_precision() -> None:
    clean, noise = torch.randn(2, 6, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        paired = optimal_pairing(clean, noise)
    assert torch.equal(paired, optimal_pairing(clean, noise))


def test_on_a_line_the_pairing_is_sorted() -> None:
    clean, noise = torch.from_numpy(RANDOM.standard_normal((2, 300, 1)))
    paired = optimal_pairing(clean, noise)
    ranks = [values[:, 0].argsort().argsort() for values in (clean, paired)]
    assert (ranks[0] == ranks[1]).all()


def test_pairs_of_different_numbers() -> None:
    with pytest.raises(ValueError, match=r"must have the same shape, got \(3, 1\) and \(2, 1\)"):
        optimal_pairing(torch.zeros(3, 1), torch.zeros(2, 1))


@pytest.mark.parametrize("optimal", [False, True], ids=["independent", "optimal"])
def test_the_velocity_of_a_gaussian(optimal: bool) -> None:
    """From N(m, s^2): ``E[n - x0 | x_t]`` for independent pairs; along the transport map
    ``x0 = m + s n`` for optimal ones, up to one over the size of a batch."""
    m, s, t = 0.5, 2.0, 0.3

    def loss(theta: Tensor, random: np.random.Generator) -> Tensor:
        clean, noise = torch.from_numpy(random.standard_normal((2, 100, 1)))
        clean = m + s * clean
        noise = optimal_pairing(clean, noise) if optimal else noise
        time = torch.full((100,), t, dtype=F64)
        return flow_matching(lambda x, t: theta[0] * x + theta[1], clean, time, noise)

    theta, error, _ = fit_linear(loss, 2, batches=200)
    if optimal:
        slope = (1 - s) / ((1 - t) * s + t)
    else:
        slope = (t - (1 - t) * s**2) / ((1 - t) ** 2 * s**2 + t**2)
    expected = torch.tensor([slope, -m - slope * (1 - t) * m], dtype=F64)
    assert ((theta - expected).abs() <= 5 * error + 1 / 100).all(), (theta, expected, error)
    assert (error < 0.02).all()
