"""The noise level by Stein's identity, where the prior tells noise from images, and where not."""

from __future__ import annotations

import torch

from invscore import GaussianNoise, InverseProblem, simulate
from invscore.estimation.noise_level import noise_seen
from invscore.estimation.stein import stein_level
from invscore.operators import Identity
from invscore.priors import GaussianPrior


def test_noise_that_looks_like_the_image_is_not_told() -> None:
    """White images of 8 x 8 pixels with a tenth of their variance of noise: nobody can tell them
    apart. Level after level, what chance adds would be magnified tenfold."""
    shape, prior = (1, 8, 8), GaussianPrior(torch.zeros(1, 8, 8, dtype=torch.float64), 1.0)
    operator, noise = Identity(shape), GaussianNoise(0.3)
    y = simulate(operator, prior.sample(40, 3), noise, 5)
    problem = InverseProblem(operator, y, noise)
    seen = noise_seen(problem, prior, y[None])
    assert seen is not None
    assert ((seen > 0.75) & (seen < 1.33)).double().mean() > 0.97
    without = [stein_level(operator, one[None], prior, 0.3) / 0.3 for one in y]
    assert sum(0.75 < level < 1.33 for level in without) < 30
