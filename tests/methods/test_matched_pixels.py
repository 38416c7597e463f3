"""`matched_pixels` against posteriors by quadrature."""

from __future__ import annotations

import pytest
import torch

from invscore import reconstruct
from invscore.bench.posterior import pixels
from invscore.methods.matched_pixels import passed
from invscore.priors import GaussianPrior

F64 = torch.float64
SAMPLES = 100


@pytest.mark.parametrize("kind", sorted(pixels.KINDS))
def test_the_default_is_near_the_floor(kind: str) -> None:
    """Twelve levels; `daps` is 2 to 15 floors off at twenty."""
    instance = pixels.build(3, kind)
    found = reconstruct(instance.problem, instance.prior, samples=SAMPLES, seed=1, steps=12)
    floor = instance.floor(SAMPLES)[pixels.MARGINAL.name]
    assert instance.score(found.samples[:, 0])[pixels.MARGINAL.name] < 1.25 * floor


def test_shares_of_independent_pixels_are_exact() -> None:
    variances = torch.tensor([0.01, 1.0, 100.0], dtype=F64)
    prior = GaussianPrior(torch.zeros(3, dtype=F64), torch.diag(variances))
    _, share = passed(prior, torch.ones(2, 3, dtype=F64), 2.0)
    torch.testing.assert_close(share, (variances / (variances + 4)).expand(2, 3))


def test_shares_of_pixels_that_hang_together_are_their_mean() -> None:
    """J is a projection on the mean: v J v has as much noise as there is to see."""
    count = 400
    prior = GaussianPrior(torch.zeros(count, dtype=F64), torch.full((count, count), 1.0, dtype=F64))
    _, share = passed(prior, torch.zeros(1, count, dtype=F64), 0.1)
    assert float(share.std() / share.mean()) < 2
    assert 0 < float(share.mean()) < 10 / count
