"""Autoguidance against its closed form between two Gaussian laws."""

from __future__ import annotations

import math

import pytest
import torch

from invscore.priors import GaussianPrior
from invscore.sampling import SAMPLERS, sample
from invscore.sampling.base import noise_only

F64 = torch.float64
PRIOR = GaussianPrior(torch.zeros(1, dtype=F64), 1.0)
GUIDE = GaussianPrior(torch.zeros(1, dtype=F64), 2.0)


@pytest.mark.parametrize("weight", [1.0, 1.5, 3.0])
def test_the_flow_between_two_gaussian_laws(weight: float) -> None:
    """Its slope is x s (w / (v + s^2) + (1 - w) / (u + s^2)), of variances v and u, level s."""
    steps = 400
    drawn = sample(
        PRIOR, (1,), n=4, dtype=F64, steps=steps, guide=GUIDE, guidance=weight, sampler="heun"
    )
    plain = sample(PRIOR, (1,), n=4, dtype=F64, steps=steps, sampler="heun")
    top = SAMPLERS["heun"].spacing(steps, PRIOR, noise_only(PRIOR))[0]
    shrunk = (1 / (1 + top**2)) / (2 / (2 + top**2))
    expected = plain.samples * math.sqrt(shrunk) ** (weight - 1)
    torch.testing.assert_close(drawn.samples, expected, rtol=2e-4, atol=0)
    assert drawn.evaluations == 2 * plain.evaluations


def test_a_prior_guided_by_itself_stays_itself() -> None:
    alone = sample(PRIOR, (1,), n=3, dtype=F64, steps=5, sampler="ddpm")
    guided = sample(PRIOR, (1,), n=3, dtype=F64, steps=5, sampler="ddpm", guide=PRIOR, guidance=4)
    torch.testing.assert_close(guided.samples, alone.samples)


@pytest.mark.parametrize("weight", [0.5, -1.0, math.inf, math.nan])
def test_weights_that_guide_nowhere(weight: float) -> None:
    with pytest.raises(ValueError, match=f"`guidance` must be at least 1, got {weight}"):
        sample(PRIOR, (1,), dtype=F64, guide=GUIDE, guidance=weight)
