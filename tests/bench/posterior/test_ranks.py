"""Statistics of ranks: their means where ranks are uniform, and what they see where not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from invscore.bench.posterior import ranks

TRIALS = 60


def drawn(n: int, widening: float = 1.0, shift: float = 0.0, k: int = 3000) -> Tensor:
    """Ranks of standard normal truths among n normal samples of another width or place."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(TRIALS, k, generator=generator)
    samples = shift + widening * torch.randn(n, TRIALS, k, generator=generator)
    return ranks.ranks_among(truth, samples)


def test_ranks_count_the_samples_below() -> None:
    truth = torch.tensor([[0.5, -3.0]])
    samples = torch.tensor([[[0.0, 1.0]], [[0.2, 2.0]], [[0.7, 3.0]]])
    assert ranks.ranks_among(truth, samples).tolist() == [[2, 0]]
    assert ranks.distribution(torch.tensor([[2], [0]]), 3)[:, 0].tolist() == [0.5, 0.5, 1.0]


@pytest.mark.parametrize("n", [19, 23, 50])
def test_uniform_ranks(n: int) -> None:
    found = drawn(n)
    assert int(found.min()) == 0
    assert int(found.max()) == n
    share = math.sqrt(0.09 / found.numel())
    assert ranks.coverage(found, n, 0.9) == pytest.approx(0.9, abs=4.5 * share)
    k = found.shape[1]
    assert ranks.chi_square(found, n) == pytest.approx(1, abs=4.5 * math.sqrt(2 / 4 / k))
    assert ranks.outside(found, n) == pytest.approx(0.05, abs=0.02)
    other = ranks.uniform_ranks((TRIALS, k), n, seed=1)
    assert ranks.deviation(found, n) == pytest.approx(ranks.deviation(other, n), rel=0.02)


def test_the_deviation_of_many_ranks_follows_kolmogorov() -> None:
    """Its mean is ``sqrt(pi / 2) ln 2``, for many ranks of many samples."""
    found = ranks.uniform_ranks((1000, 100), 200, seed=0)
    mean = math.sqrt(math.pi / 2) * math.log(2)
    assert ranks.deviation(found, 200) == pytest.approx(mean, rel=0.08)


@pytest.mark.parametrize(("widening", "shift"), [(0.5, 0.0), (2.0, 0.0), (1.0, 0.6)])
def test_wrong_samples_are_seen(widening: float, shift: float) -> None:
    found = drawn(39, widening, shift, k=200)
    assert ranks.outside(found, 39) > 0.5
    assert ranks.chi_square(found, 39) > 3
    assert ranks.deviation(found, 39) > 1.3 * ranks.deviation(drawn(39, k=200), 39)


def test_coverage_of_narrow_samples() -> None:
    """Of samples of half the deviation: the normal mass within 0.5 * 1.645, for many samples."""
    found = drawn(999, 0.5, k=100)
    expected = math.erf(0.5 * 1.6448536 / math.sqrt(2))
    assert ranks.coverage(found, 999, 0.9) == pytest.approx(expected, abs=0.03)
    assert ranks.coverage(torch.zeros(1, 1, dtype=torch.long), 19, 0.9) < 1e-12


def test_the_band_holds_all_at_once() -> None:
    lower, upper = ranks.band(TRIALS, 19)
    uniform = torch.arange(1, 20) / 20
    assert (lower < uniform).all()
    assert (uniform < upper).all()
    torch.testing.assert_close(lower, 1 - upper.flip(0))
    # At the middle the bounds of one point alone would be +- 1.96 / (2 sqrt(TRIALS)).
    assert float(upper[9] - lower[9]) > 2 * 1.96 / (2 * math.sqrt(TRIALS))
