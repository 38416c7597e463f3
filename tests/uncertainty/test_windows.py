"""Windows about pixels, against sums written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from invscore.uncertainty.windows import Windows, squared_correlations

F64 = torch.float64


def weights(deviation: int, sides: tuple[int, int]) -> Tensor:
    """Of a window in the middle of planes that are large enough, (2 r + 1, 2 r + 1) or (1, ...)."""
    places = torch.arange(-3 * deviation, 3 * deviation + 1, dtype=F64)
    along = torch.exp(-((places / deviation) ** 2) / 2)
    along = along / along.sum()
    down = along if sides[0] > 1 else torch.ones(1, dtype=F64)
    both = down[:, None] * along
    both[len(down) // 2, len(along) // 2] = 0
    return both / both.sum()


@pytest.mark.parametrize("deviation", [2, 4])
@pytest.mark.parametrize("sides", [(40, 50), (1, 60)])
def test_sums_over_neighbours(deviation: int, sides: tuple[int, int]) -> None:
    planes = torch.rand(2, *sides, dtype=F64, generator=torch.Generator().manual_seed(0))
    windows, each = Windows(planes, deviation), weights(deviation, sides)
    reach = [length // 2 for length in each.shape]
    middle = sides[0] // 2, sides[1] // 2
    around = planes[
        1,
        middle[0] - reach[0] : middle[0] + reach[0] + 1,
        middle[1] - reach[1] : middle[1] + reach[1] + 1,
    ]
    assert float(windows.sum(planes)[1][middle]) == pytest.approx(float((each * around).sum()))
    ones = windows.sum(torch.ones_like(planes))
    assert float(ones[0][middle]) == pytest.approx(1)
    assert float(ones[0, 0, 0]) < 0.65
    assert windows.squares == pytest.approx(float(each.square().sum()))


@pytest.mark.parametrize("deviation", [2, 4])
def test_what_squares_have_in_common(deviation: int) -> None:
    """Of correlations ``exp(-d^2 / 8)``, written out over all pairs of places in a window."""
    side = 64
    places = torch.arange(side, dtype=F64)
    around = torch.minimum(places, side - places)
    squared = torch.exp(-(around[:, None] ** 2 + around**2) / 4)
    windows = Windows(torch.zeros(1, side, side, dtype=F64), deviation)
    each = weights(deviation, (side, side))
    reach = each.shape[0] // 2
    at = torch.arange(-reach, reach + 1, dtype=F64)
    apart = torch.exp(-((at[:, None] - at) ** 2) / 4)
    of_mean = torch.einsum("ij,ik,jl,kl->", each, apart, apart, each)
    own = torch.exp(-(at**2) / 4)
    with_own = torch.einsum("ij,i,j->", each, own, own)
    assert windows.alike(squared) == pytest.approx((float(of_mean), float(with_own)), rel=1e-6)


def test_correlations_are_those_of_the_fields() -> None:
    generator = torch.Generator().manual_seed(0)
    white = torch.randn(8, 2, 64, 64, dtype=F64, generator=generator)
    fields = (white + white.roll(1, dims=-1)) / math.sqrt(2)
    squared = squared_correlations(fields)
    assert float(squared[0, 0]) == pytest.approx(1)
    assert float(squared[0, 1]) == pytest.approx(0.25, abs=0.02)
    assert float(squared[0, -1]) == pytest.approx(0.25, abs=0.02)
    assert float(squared[1, 0]) == pytest.approx(0, abs=0.01)
    windows = Windows(white[0], 2)
    of_mean, with_own = windows.alike(squared_correlations(white))
    assert of_mean == pytest.approx(windows.squares, rel=0.1)
    assert with_own == pytest.approx(0, abs=0.01)
