"""An operator of one's own is probed before it is used."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, GaussianPrior, InverseProblem, reconstruct
from invscore.operators import Blur, LinearOperator, from_function
from invscore.operators.probe import operator_warnings


class Shift(LinearOperator):
    """Columns moved by one, and an ``rmatvec`` that moves them on by ``back``."""

    in_shape = out_shape = (1, 12, 12)

    def __init__(self, back: int, gain: float = 1.0) -> None:
        self.back, self.gain = back, gain

    def matvec(self, x: Tensor) -> Tensor:
        return self.gain * x.roll(1, dims=-1)

    def rmatvec(self, y: Tensor) -> Tensor:
        return y.roll(self.back, dims=-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_adjoint_that_is_one_passes(dtype: torch.dtype) -> None:
    y = torch.zeros(1, 1, 12, 12, dtype=dtype)
    assert operator_warnings(Shift(-1), y) == ()
    assert operator_warnings(Blur.gaussian(1.0, (1, 12, 12)), y) == ()
    assert operator_warnings(2 * Shift(-1), y) == ()


@pytest.mark.parametrize(
    "operator", [Shift(1), Shift(-1, gain=1.1), Shift(-1, gain=1.03), 3.0 * Shift(0)]
)
def test_one_that_is_not_is_told(operator: LinearOperator) -> None:
    (sentence,) = operator_warnings(operator, torch.zeros(1, 1, 12, 12))
    assert "is not the adjoint of its matvec" in sentence


def test_an_operator_that_measures_nothing_is_told() -> None:
    (sentence,) = operator_warnings(Shift(-1, gain=0.0), torch.zeros(1, 1, 12, 12))
    assert "measures nothing" in sentence
    dead = from_function(lambda x: (x - x) ** 2, (4,), linear=False)
    assert "measures nothing" in operator_warnings(dead, torch.zeros(1, 4))[0]


def test_the_result_says_so() -> None:
    prior = GaussianPrior(torch.zeros(1, 12, 12), torch.eye(144))
    y = torch.randn(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    problem = InverseProblem(Shift(0), y, GaussianNoise(0.5))
    result = reconstruct(problem, prior, method="diffpir", steps=3)
    assert "is not the adjoint" in result.warnings[0]
