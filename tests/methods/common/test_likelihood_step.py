"""Draws from the likelihood times a Gaussian, against closed forms and quadrature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem, Noise, PoissonNoise
from invscore.methods.common.likelihood_step import draw_given
from invscore.operators import Identity, Operator, from_function, from_matrix
from invscore.rng import SampleRNG

F64 = torch.float64
COUNT = 10000
BEND = from_function(lambda x: x + 0.3 * x**3, (1,), linear=False)


def test_exact_where_linear_and_gaussian(law_of_draw: Callable[..., tuple[Tensor, Tensor]]) -> None:
    matrix = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.3, -0.8]], dtype=F64)
    y, centre = torch.tensor([0.9, -0.4], dtype=F64), torch.tensor([0.2, 0.1, 0.7], dtype=F64)
    s, sigma = 0.2, 0.6

    def draw(task: InverseProblem, rng: SampleRNG) -> Tensor:
        around = centre.expand(len(task.y), 3)
        return draw_given(task, around, sigma, rng, mcmc_steps=1, step_size=1.0)

    problem = InverseProblem(from_matrix(matrix), y[None], GaussianNoise(s))
    mean, covariance = law_of_draw(draw, problem)
    precision = matrix.T @ matrix / s**2 + torch.eye(3, dtype=F64) / sigma**2
    expected = torch.linalg.solve(precision, matrix.T @ y / s**2 + centre / sigma**2)
    torch.testing.assert_close(mean, expected)
    torch.testing.assert_close(covariance, torch.linalg.inv(precision))


@pytest.mark.parametrize(
    ("operator", "noise", "y"),
    [
        (BEND, GaussianNoise(0.3), 0.8),
        (Identity((1,)), PoissonNoise(30.0), 0.7),
        (BEND, PoissonNoise(30.0), 0.7),
    ],
)
def test_langevin_elsewhere(operator: Operator, noise: Noise, y: float, one_stream: Any) -> None:
    centre, sigma = 1.1, 0.25
    measured = torch.full((COUNT, 1), y, dtype=F64)
    task = InverseProblem(operator, measured, noise)
    around = torch.full((COUNT, 1), centre, dtype=F64)
    z = draw_given(task, around, sigma, one_stream(0), mcmc_steps=400, step_size=0.04)

    grid = torch.linspace(0.05, 2.5, COUNT, dtype=F64)[:, None]
    log_density = task.log_likelihood(grid) - (grid[:, 0] - centre) ** 2 / (2 * sigma**2)
    weights = log_density.softmax(dim=0)
    mean = weights @ grid[:, 0]
    deviation = (weights @ (grid[:, 0] - mean) ** 2).sqrt()
    # Five standard errors and the bias of a finite step, about 1 % in the deviation.
    assert abs(z.mean() - mean) < (5 / COUNT**0.5 + 0.02) * deviation
    assert abs(z.std() / deviation - 1) < 5 / (2 * COUNT) ** 0.5 + 0.02


@pytest.mark.parametrize("start", [0.0, 0.1])
def test_squares_do_not_diverge(start: float, one_stream: Any) -> None:
    """At the centre the square is flat, elsewhere steep: the first steps are far too long."""
    square = from_function(torch.square, (1,), linear=False)
    task = InverseProblem(square, torch.full((COUNT, 1), 1.0, dtype=F64), GaussianNoise(0.05))
    around = torch.full((COUNT, 1), start, dtype=F64)
    z = draw_given(task, around, 5.0, one_stream(0), mcmc_steps=200, step_size=0.2)
    assert z.isfinite().all()
    assert float((z.abs() - 1).abs().median()) < 0.1
