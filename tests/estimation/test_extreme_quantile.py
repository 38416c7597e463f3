"""Quantiles near an end against those by a whole sort."""

import pytest
import torch

from invscore.estimation.extreme_quantile import extreme_quantile


@pytest.mark.parametrize("n", [1, 2, 7, 100, 1001])
@pytest.mark.parametrize("q", [0.0, 0.01, 0.3, 0.5, 0.7, 0.999, 1.0])
def test_as_by_a_whole_sort(n: int, q: float) -> None:
    values = torch.randn(3, n, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
    wanted = torch.quantile(values, q, dim=1)
    torch.testing.assert_close(extreme_quantile(values, q), wanted, rtol=0, atol=1e-12)
