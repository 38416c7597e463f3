"""Targets and losses of less variance: the same mean, by how much less, and the limits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore.training.objectives import (
    controlled_score_matching,
    hutchinson_score_matching,
    noise_score_matching,
    stable_target,
    stable_target_score_matching,
)

F64 = torch.float64
SIGMA = 0.8


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def test_a_stable_target_by_hand() -> None:
    reference = torch.tensor([[0.0], [1.0], [3.0]], dtype=F64)
    x = torch.tensor([[0.5], [2.5]], dtype=F64)
    sigma = torch.tensor([0.5, 2.0], dtype=F64)
    shares = torch.exp(-((x - reference.T) ** 2) / (2 * sigma[:, None] ** 2))
    mean = (shares * reference.T).sum(1, True) / shares.sum(1, True)
    expected = (mean - x) / sigma[:, None] ** 2
    torch.testing.assert_close(stable_target(x, sigma, reference), expected)


def test_one_image_of_reference_gives_the_usual_target() -> None:
    clean, noise = normal(1, 1, 4, 4), normal(1, 1, 4, 4, seed=1)
    target = stable_target(clean + SIGMA * noise, SIGMA, clean)
    torch.testing.assert_close(target, -noise / SIGMA)


def test_the_right_image_is_found_among_similar_ones_in_single_precision() -> None:
    """|x|^2 is 10 million times what tells the images apart."""
    reference = 100 + 0.02 * normal(50, 3, 16, 16).float()
    x = reference + 0.05 * normal(50, 3, 16, 16, seed=1).float()
    denoised = x + 0.05**2 * stable_target(x, 0.05, reference)
    torch.testing.assert_close(denoised, reference, rtol=0, atol=1e-4)


def test_targets_are_not_rounded_under_autocast() -> None:
    reference = 0.5 + 0.25 * normal(8, 1, 4, 4).float()
    x = reference + 0.01 * normal(8, 1, 4, 4, seed=1).float()
    expected = stable_target(x, 0.01, reference)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(stable_target(x, 0.01, reference), expected)


def test_the_mean_given_x_is_the_score_and_the_variance_is_less() -> None:
    """At a fixed x, the image behind it drawn from its posterior and the others from the data."""
    count, others, x = 4000, 31, torch.tensor([[1.1]], dtype=F64)
    variance = 1 + SIGMA**2
    behind = x / variance + SIGMA / variance**0.5 * normal(count, 1)
    references = torch.cat([behind, normal(count, others, seed=1)], dim=1)
    targets = torch.stack([stable_target(x, SIGMA, r[:, None])[0, 0] for r in references])
    usual = (behind - x) / SIGMA**2
    error = targets.std() / count**0.5
    assert abs(targets.mean() + x / variance) <= 5 * error
    assert error < 0.01
    assert targets.var() < usual.var() / 10


def affine(theta: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: theta[0] * x + theta[1]


def gradients(loss: Callable[[Tensor, Tensor, Tensor], Tensor], batches: int = 300) -> Tensor:
    """Of a loss of (theta, clean, noise) at theta = (-0.5, 0.2), one row a batch of 16."""
    rows = []
    for batch in range(batches):
        theta = torch.tensor([-0.5, 0.2], dtype=F64, requires_grad=True)
        clean, noise = normal(2, 16, 1, seed=batch).unbind()
        rows.append(torch.autograd.grad(loss(theta, clean, noise), theta)[0])
    return torch.stack(rows)


def plain_loss(sigma: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    return lambda theta, clean, noise: noise_score_matching(affine(theta), clean, sigma, noise)


def controlled_loss(sigma: float) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    return lambda theta, clean, noise: controlled_score_matching(affine(theta), clean, sigma, noise)


def test_stable_targets_make_gradients_of_less_variance() -> None:
    others = normal(1000, 1, seed=1000)

    def stable_loss(theta: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
        reference = torch.cat([clean, others])
        return stable_target_score_matching(affine(theta), clean, SIGMA, noise, reference)

    plain, stable = gradients(plain_loss(SIGMA)), gradients(stable_loss)
    assert (stable.var(0) < plain.var(0) / 2).all()
    error = ((plain.var(0) + stable.var(0)) / len(plain)).sqrt()
    assert ((plain.mean(0) - stable.mean(0)).abs() <= 5 * error).all()


def test_control_variates_keep_the_variance_finite_as_the_noise_vanishes() -> None:
    plain, controlled = gradients(plain_loss(0.01)), gradients(controlled_loss(0.01))
    # The gradient has the part 2 n (x, 1) / sigma, of variance 4 / sigma^2 in means over 16.
    assert (plain.var(0) > 0.5 * 4 / 0.01**2 / 16).all()
    assert (controlled.var(0) < 4).all()
    error = (controlled.var(0) / len(controlled)).sqrt()
    # E[2 s ds/dtheta + 2 ds/dx] = (2 theta_0 var x + 2, 2 theta_1).
    expected = torch.tensor([2 - 1.0 * (1 + 0.01**2), 0.4], dtype=F64)
    assert ((controlled.mean(0) - expected).abs() <= 5 * error).all()


def test_without_noise_the_controlled_loss_is_implicit() -> None:
    def score(x: Tensor) -> Tensor:
        return -x.sinh()

    clean, noise = normal(2, 7, 3).unbind()
    controlled = controlled_score_matching(score, clean, 1e-6, noise)
    implicit = hutchinson_score_matching(score, clean, noise)
    assert controlled.item() == pytest.approx(implicit.item(), rel=1e-4)


def test_the_control_variate_is_all_that_differs() -> None:
    def score(x: Tensor) -> Tensor:
        return -x.sinh()

    clean, noise = normal(2, 7, 3).unbind()
    sigma = torch.linspace(0.2, 2, 7, dtype=F64)
    variate = (2 * noise * score(clean) / sigma[:, None]).mean()
    constant = ((noise / sigma[:, None]) ** 2).mean()
    plain = noise_score_matching(score, clean, sigma, noise)
    controlled = controlled_score_matching(score, clean, sigma, noise)
    assert controlled.item() == pytest.approx((plain - constant - variate).item(), rel=1e-12)
