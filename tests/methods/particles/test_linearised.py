"""Statistical linearisation: what is linear stays as it is, and what bends is told by its mean."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.methods.particles.linearised import linearised

F64 = torch.float64
MEAN = torch.tensor([[0.4, -1.0], [2.0, 0.3]], dtype=F64)
ROOT = torch.tensor([[0.8, 0.0], [0.5, 0.6]], dtype=F64)
SEEN = torch.tensor([0, 2])


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_linear_operators_stay_as_they_are() -> None:
    matrix = torch.tensor([[1.0, 0.5], [0.2, -0.7], [0.0, 2.0]], dtype=F64)

    def operator(x: Tensor) -> tuple[Tensor, Tensor]:
        return x @ matrix.T + 1, matrix[SEEN].expand(len(x), -1, -1)

    found = linearised(operator, MEAN, lambda white: white @ ROOT.T, SEEN, seeded())
    torch.testing.assert_close(found.clean, MEAN @ matrix.T + 1)
    torch.testing.assert_close(found.rows, matrix[SEEN].expand(2, -1, -1))
    torch.testing.assert_close(found.variance, torch.zeros(2, 2, dtype=F64), atol=1e-24, rtol=0)


def test_squares() -> None:
    """Of x^2, x ~ N(m, v): mean m^2 + v, slope 2 m, and 2 v^2 of variance; the mean of the points'
    squares stands for v."""
    variance, middle = 0.3, torch.tensor([[0.7]], dtype=F64)

    def operator(x: Tensor) -> tuple[Tensor, Tensor]:
        return x**2, 2 * x[..., None]

    def away(white: Tensor) -> Tensor:
        return variance**0.5 * white

    found = linearised(operator, middle, away, torch.tensor([0]), seeded())
    points = variance**0.5 * torch.randn(8, 1, generator=seeded(), dtype=F64)
    torch.testing.assert_close(found.rows[0, 0, 0], 2 * middle[0, 0])
    torch.testing.assert_close(found.clean[0, 0], middle[0, 0] ** 2 + points.square().mean())
    torch.testing.assert_close(found.variance[0, 0], points.square().var(correction=0))


def test_magnitudes_around_zero_tell_no_sign() -> None:
    def operator(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.abs(), x.sign()[..., None]

    middle = torch.zeros(1, 1, dtype=F64)
    found = linearised(operator, middle, lambda white: 2 * white, torch.tensor([0]), seeded())
    assert found.rows[0, 0, 0] == 0
    points = 2 * torch.randn(8, 1, generator=seeded(), dtype=F64).abs()
    torch.testing.assert_close(found.clean[0, 0], points.mean())
    assert abs(float(found.clean) - 2 * math.sqrt(2 / math.pi)) < 3 * 2 * 0.6 / 8**0.5
