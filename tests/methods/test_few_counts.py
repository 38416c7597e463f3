"""Poisson noise of few counts, and of none, against quadrature; unseen pixels."""

from __future__ import annotations

import pytest
import torch

from invscore import GaussianPrior, InverseProblem, PoissonNoise, reconstruct, simulate
from invscore.methods.common.proximal import proximal
from invscore.methods.common.tempering import mean_variance
from invscore.operators import Identity, Inpainting
from invscore.uncertainty import check_residual

F64 = torch.float64


@pytest.mark.parametrize("counts", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("centre", [-0.001, 0.2])
def test_the_proximal_step_finds_the_minimum(counts: float, centre: float) -> None:
    """Also from below the background, where it once stayed."""
    problem = InverseProblem(
        Identity((1,)), torch.tensor([[counts / 10]], dtype=F64), PoissonNoise(10.0)
    )
    z = proximal(problem, torch.tensor([[centre]], dtype=F64), 0.3)
    axis = torch.linspace(-1, 2, 300_001, dtype=F64)[:, None]
    many = problem.select(torch.zeros(len(axis), dtype=torch.long))
    cost = (axis[:, 0] - centre) ** 2 / (2 * 0.3**2) - many.log_likelihood(axis)
    assert float(z) == pytest.approx(float(axis[cost.argmin()]), abs=3e-3)


@pytest.mark.parametrize("method", ["langevin", "ula"])
@pytest.mark.parametrize("counts", [0.0, 1.0, 4.0])
def test_chains_follow_the_posterior_of_few_counts(method: str, counts: float) -> None:
    """2,000 independent pixels have the mean and deviation that quadrature gives for one."""
    size, prior = 2000, GaussianPrior(torch.full((2000,), 0.6, dtype=F64), 0.04)
    y = torch.full((1, size), counts / 5, dtype=F64)
    problem = InverseProblem(Identity((size,)), y, PoissonNoise(5.0))
    result = reconstruct(problem, prior, method=method, steps=600, scale=1.0)
    axis = torch.linspace(-1.0, 2.5, 20_001, dtype=F64)
    one = InverseProblem(Identity((1,)), y[:, :1], PoissonNoise(5.0))
    many = one.select(torch.zeros(len(axis), dtype=torch.long))
    log = many.log_likelihood(axis[:, None]) - (axis - 0.6) ** 2 / (2 * 0.04)
    weight = log.softmax(dim=0)
    mean = float((weight * axis).sum())
    deviation = float((weight * (axis - mean) ** 2).sum() ** 0.5)
    drawn = result.samples.flatten()
    # Five standard errors, and 5 % for the steps and the smoothing of the prior.
    assert float(drawn.mean()) == pytest.approx(mean, abs=5 * deviation / size**0.5 + 0.01)
    assert float(drawn.std()) == pytest.approx(deviation, rel=0.12)


def test_pixels_that_are_not_measured_do_not_count() -> None:
    """The noise of half of the pixels is that of an image of that half alone."""
    mask = torch.zeros(6, 8, dtype=torch.bool)
    mask[:3] = True
    noise, operator = PoissonNoise(50.0), Inpainting(mask)
    y = simulate(operator, torch.full((1, 1, 6, 8), 0.5, dtype=F64), noise, 1)
    alone = InverseProblem(Identity((1, 3, 8)), y[:, :, :3], noise)
    torch.testing.assert_close(
        mean_variance(InverseProblem(operator, y, noise)), mean_variance(alone)
    )


def test_the_residual_of_a_dark_background_is_that_of_the_noise() -> None:
    noise, shape = PoissonNoise(100.0), (1, 40, 40)
    truth = torch.zeros(1, *shape, dtype=F64)
    truth[..., 10:20, 10:20] = 0.5
    problem = InverseProblem(Identity(shape), simulate(Identity(shape), truth, noise, 0), noise)
    wiggles = 2e-3 * torch.randn(truth.shape, dtype=F64, generator=torch.Generator().manual_seed(1))
    good = check_residual(problem, (truth + wiggles)[None])
    assert 0.5 < float(good.ratio) < 2
    wrong = check_residual(problem, (truth + 2.5e-3)[None])  # 0.25 counts everywhere, none seen
    assert float(wrong.ratio) > 1.5
    assert bool(wrong.too_large.all())
