"""Draws from a likelihood times independent Gaussians, against closed forms and quadrature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem, Noise, PoissonNoise
from invscore.methods.common.langevin_draw import curvature, langevin_draw
from invscore.operators import Operator, from_function, from_matrix
from invscore.rng import SampleRNG

F64 = torch.float64
COUNT = 5000


def test_exact_where_linear_and_gaussian(law_of_draw: Callable[..., tuple[Tensor, Tensor]]) -> None:
    """Gauss-Newton steps are exact there, and the dynamics keep the law, whatever their step."""
    matrix = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, -0.8]], dtype=F64)
    y, centre = torch.tensor([0.9, -0.4], dtype=F64), torch.tensor([0.2, 0.1, 0.7], dtype=F64)
    s, deviation = 0.2, torch.tensor([0.6, 0.1, 1.2], dtype=F64)

    def draw(task: InverseProblem, rng: SampleRNG) -> Tensor:
        around = centre.expand(len(task.y), 3)
        return langevin_draw(task, around, deviation, rng, mcmc_steps=0, step_size=0.3)

    problem = InverseProblem(from_matrix(matrix), y[None], GaussianNoise(s))
    mean, covariance = law_of_draw(draw, problem)
    precision = matrix.T @ matrix / s**2 + torch.diag(deviation**-2)
    expected = torch.linalg.solve(precision, matrix.T @ y / s**2 + centre / deviation**2)
    torch.testing.assert_close(mean, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(covariance, torch.linalg.inv(precision), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("function", "noise", "y"),
    [
        (torch.exp, GaussianNoise(0.2), 3.0),
        (torch.exp, GaussianNoise(0.2), -0.1),
        (torch.tanh, GaussianNoise(0.2), 0.9),
        (torch.square, GaussianNoise(0.2), 1.0),
        (torch.exp, PoissonNoise(30.0), 0.7),
    ],
)
def test_bent(function: Any, noise: Noise, y: float, one_stream: Any) -> None:
    """A pixel that is told next to one far steeper, whose step is a thousandth of its own."""

    def both(x: Tensor) -> Tensor:
        return torch.cat([function(x[:, :1]), (30 * x[:, 1:]).exp()], dim=1)

    operator: Operator = from_function(both, (2,), linear=False)
    measured = torch.tensor([[y, 1.0]], dtype=F64).expand(COUNT, 2)
    task = InverseProblem(operator, measured, noise)
    centre, deviation = torch.zeros(COUNT, 2, dtype=F64), torch.tensor([0.8, 0.1], dtype=F64)
    z = langevin_draw(task, centre, deviation, one_stream(0), mcmc_steps=60, step_size=0.2)[:, 0]

    grid = torch.linspace(-4, 4, COUNT, dtype=F64)
    beside = torch.stack([grid, torch.zeros_like(grid)], dim=1)
    weights = (task.log_likelihood(beside) - (grid / 0.8) ** 2 / 2).softmax(dim=0)
    edges = weights.cumsum(dim=0)
    middles = (torch.arange(COUNT, dtype=F64) + 0.5) / COUNT
    exact = grid[torch.searchsorted(edges, middles).clamp_max(COUNT - 1)]
    spread = (weights @ (grid - weights @ grid) ** 2).sqrt()
    # Independent draws have 1.1 / COUNT^(1/2) of it; the rest is the finite step's.
    assert float((z.sort().values - exact).abs().mean()) < 0.06 * spread


def test_steps_that_lose_too_much_are_not_made(one_stream: Any) -> None:
    """Where nothing is measured, of a step 8 deviations long those to -w^2 / 2 > -20 or so are."""
    y = torch.zeros(COUNT, 1, dtype=F64)
    task = InverseProblem(from_matrix(torch.ones(1, 1, dtype=F64)), y, GaussianNoise(1e6))
    around, deviation = torch.full_like(y, 2.0), torch.full((1,), 3.0, dtype=F64)
    z = langevin_draw(task, around, deviation, one_stream(0), mcmc_steps=1, step_size=60.0)
    away = ((z - 2) / 3).abs()
    assert 0.02 < float((away > 5.8).double().mean()) < 0.2
    assert float(away.max()) < (2 * 20 + 3.5**2) ** 0.5


def test_curvature_of_independent_pixels() -> None:
    square = from_function(torch.square, (3,), linear=False)
    task = InverseProblem(square, torch.ones(1, 3, dtype=F64), GaussianNoise(0.5))
    w = torch.tensor([[0.0, 1.0, -3.0]], dtype=F64)
    torch.testing.assert_close(curvature(task, w), 1 + 16 * w**2)


def test_curvature_bounds_a_matrix() -> None:
    generator = torch.Generator().manual_seed(1)
    matrix = torch.rand(6, 4, generator=generator, dtype=F64)
    task = InverseProblem(from_matrix(matrix), torch.ones(1, 6, dtype=F64), GaussianNoise(0.5))
    bound = curvature(task, torch.zeros(1, 4, dtype=F64))[0]
    whole = torch.eye(4, dtype=F64) + 4 * matrix.T @ matrix
    largest = torch.linalg.eigvalsh(whole / (bound[:, None] * bound).sqrt()).max()
    assert 0.9 < float(largest) < 1.01
