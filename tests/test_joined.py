"""One result of several problems, each of which may be the right one."""

from dataclasses import replace

import pytest
import torch

from invscore import GaussianNoise, GaussianPrior, InverseProblem, reconstruct
from invscore.operators import Identity
from invscore.result import Result, joined

PRIOR = GaussianPrior(torch.full((1, 4, 4), 0.5), 0.04)


def result(value: float, samples: int = 2, seed: int = 0) -> Result:
    y = torch.full((1, 1, 4, 4), value)
    problem = InverseProblem(Identity((1, 4, 4)), y, GaussianNoise(0.1))
    return reconstruct(problem, PRIOR, samples=samples, seed=seed)


def test_samples_are_together_and_figures_are_means_over_them() -> None:
    parts = [result(0.2, 2), result(0.8, 4, 2)]
    both = joined(parts)
    expected = torch.cat([each.samples for each in parts])
    assert torch.equal(both.samples, expected)
    weighted = (2 * parts[0].residual + 4 * parts[1].residual) / 6
    torch.testing.assert_close(both.residual, weighted)
    assert both.evaluations == pytest.approx((parts[0].evaluations + 2 * parts[1].evaluations) / 3)
    assert both.seconds == pytest.approx(sum(each.seconds for each in parts))
    assert both.paired == parts[0].paired
    # What differs between the problems is in the spread.
    assert float(both.std.mean()) > 1.5 * float(parts[1].std.mean())


def test_what_does_not_go_together_is_refused() -> None:
    part = result(0.2)
    with pytest.raises(ValueError, match="`results` must hold at least one, got none"):
        joined([])
    with pytest.raises(ValueError, match="`results` must be of images of one shape, got"):
        joined([part, replace(part, samples=part.samples[..., :2])])
    with pytest.raises(ValueError, match="`results` must all come in whole pairs, or none"):
        joined([part, replace(part, paired=not part.paired)])
