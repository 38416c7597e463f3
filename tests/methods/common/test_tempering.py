"""Steps are scaled by the largest singular value of an operator, whatever it is."""

from __future__ import annotations

import pytest
import torch

from invscore import GaussianNoise, InverseProblem
from invscore.methods.common.tempering import mean_variance, squared_norm
from invscore.operators import NonlinearOperator, from_matrix

DIAGONAL = torch.diag(torch.tensor([3.0, 1.0, 0.5, 0.0], dtype=torch.float64))
SHAPE = (1, 2, 2)


class Squares(NonlinearOperator):
    in_shape = out_shape = SHAPE

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x**2


def test_the_squared_norm_of_a_matrix_is_its_largest_singular_value_squared() -> None:
    operator = from_matrix(DIAGONAL, SHAPE)
    problem = InverseProblem(operator, torch.zeros(2, 4, dtype=torch.float64), GaussianNoise(1.0))
    found = squared_norm(problem, torch.zeros(2, *SHAPE, dtype=torch.float64))
    assert float(found) == pytest.approx(9.0, rel=1e-3)


def test_that_of_a_jacobian_is_one_for_each_image() -> None:
    x = torch.tensor([[[[0.5, 0.1], [0.2, 0.3]]], [[[2.0, 0.1], [0.2, 0.3]]]], dtype=torch.float64)
    problem = InverseProblem(Squares(), x**2, GaussianNoise(1.0))
    found = torch.as_tensor(squared_norm(problem, x))
    torch.testing.assert_close(
        found.flatten(), (2 * x.flatten(1).amax(dim=1)) ** 2, rtol=1e-3, atol=0
    )


def test_the_mean_variance_is_that_of_each_image() -> None:
    noise = GaussianNoise(torch.tensor([0.1, 0.3], dtype=torch.float64))
    problem = InverseProblem(from_matrix(DIAGONAL, SHAPE), torch.zeros(2, 4).double(), noise)
    torch.testing.assert_close(mean_variance(problem), torch.tensor([0.01, 0.09]).double())
