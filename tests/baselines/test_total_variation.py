"""Total variation against its closed forms and its conditions of optimality."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore.baselines.total_variation import TotalVariation, total_variation
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import Blur, Identity, Inpainting
from invscore.operators.cg import inner

Measure = Callable[..., InverseProblem]


def objective(problem: InverseProblem, x: Tensor, weight: float) -> float:
    """``|y - A x|^2 / (2 s^2) + weight TV(x)``, written out apart from the code."""
    total = 0.0
    for i in range(x.shape[-2]):
        for j in range(x.shape[-1]):
            down = x[0, :, i + 1, j] - x[0, :, i, j] if i + 1 < x.shape[-2] else 0 * x[0, :, i, j]
            right = x[0, :, i, j + 1] - x[0, :, i, j] if j + 1 < x.shape[-1] else 0 * x[0, :, i, j]
            total += float(torch.cat([down, right]).abs().square().sum().sqrt())
    assert isinstance(problem.noise, GaussianNoise)
    misfit = float(problem.residual(x).abs().square().sum())
    return misfit / (2 * float(problem.noise.sigma) ** 2) + weight * total


@pytest.mark.parametrize("turn", [False, True])
def test_a_step_loses_height_to_both_sides(turn: bool) -> None:
    """Of a step between plateaus of n and m pixels, TV takes w s^2 / n and w s^2 / m."""
    y = torch.full((1, 1, 6, 16), 0.2, dtype=torch.float64)
    y[..., 5:] = 0.9
    expected = y.clone()
    expected[..., :5] += 8 * 0.3**2 / 5
    expected[..., 5:] -= 8 * 0.3**2 / 11
    if turn:
        y, expected = y.mT.contiguous(), expected.mT.contiguous()
    problem = InverseProblem(Identity(tuple(y.shape[1:])), y, GaussianNoise(0.3))
    found = total_variation(problem, weight=8.0, iterations=3000)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_weight_that_flattens_everything(image: Tensor, measure: Measure) -> None:
    problem = measure(Identity((1, 32, 32)), image, 0.1)
    found = total_variation(problem, weight=300.0, iterations=1000)
    torch.testing.assert_close(
        found, torch.full_like(found, float(problem.y.mean())), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("kind", ["blur", "holes", "colour", "complex"])
def test_no_direction_leads_downhill(kind: str, measure: Measure) -> None:
    generator = torch.Generator().manual_seed(7)
    shape = (2, 8, 7) if kind == "colour" else (1, 8, 7)
    dtype = torch.complex128 if kind == "complex" else torch.float64
    operator = {
        "blur": Blur.gaussian(1.0, shape),
        "holes": Inpainting.random(shape, keep=0.5),
        "colour": Identity(shape),
        "complex": Identity(shape, complex=True),
    }[kind]
    problem = measure(operator, torch.rand(1, *shape, dtype=dtype, generator=generator), 0.2)
    found = total_variation(problem, weight=3.0, iterations=1500)
    least = objective(problem, found, 3.0)
    for _ in range(6):
        away = torch.randn(found.shape, dtype=dtype, generator=generator)
        for step in (1e-3, 1e-2):
            assert objective(problem, found + step * away, 3.0) > least
    assert objective(problem, 1.01 * found, 3.0) > least
    assert objective(problem, 0.99 * found, 3.0) > least
    assert objective(problem, 0.99 * found + 0.01 * found.mean(), 3.0) > least
    assert objective(problem, 1.01 * found - 0.01 * found.mean(), 3.0) > least


@pytest.mark.parametrize("kind", ["blur", "holes"])
def test_the_default_number_of_iterations_converges(
    kind: str, image: Tensor, measure: Measure
) -> None:
    shape = (1, 32, 32)
    operator = Blur.gaussian(1.5, shape) if kind == "blur" else Inpainting.random(shape, keep=0.3)
    problem = measure(operator, image)
    default, long = total_variation(problem), total_variation(problem, iterations=1500)
    assert float((default - long).square().mean().sqrt()) < 1e-3


def test_differences_and_their_adjoint() -> None:
    generator = torch.Generator().manual_seed(0)
    penalty = TotalVariation(1.0)
    x = torch.randn(1, 3, 9, 8, dtype=torch.complex128, generator=generator)
    p = torch.randn(1, 2, 3, 9, 8, dtype=torch.complex128, generator=generator)
    torch.testing.assert_close(
        inner(penalty.analyse(x), p).item(), inner(x, penalty.synthesise(p)).item()
    )
    for _ in range(300):
        x = penalty.synthesise(penalty.analyse(x / x.abs().square().sum().sqrt()))
    assert 0.95 * penalty.norm**2 < float(x.abs().square().sum().sqrt()) <= penalty.norm**2
