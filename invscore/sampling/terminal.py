"""Terminal distribution of images under much noise: their mean, and white noise.

``N(mean, (v + sigma^2) I)``, v the variance of a pixel, averaged over the image: of all white
Gaussians the nearest to the law of ``x0 + sigma n``.
"""

from __future__ import annotations

import math

from torch import Tensor

from invscore.batches import real_numbers
from invscore.hardware.doubles import doubled
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


def draw(prior: Prior, like: Tensor, sigma: float, rng: SampleRNG) -> Tensor:
    """States at ``sigma`` of the shape, dtype and device of ``like``, (b, \\*shape)."""
    return prior.mean + _deviation(prior, sigma) * rng.normal_like(like)


def log_prob(prior: Prior, x: Tensor, sigma: float) -> Tensor:
    """The log-density in nats, (b,), in float64. Complex numbers count as two."""
    centred = x - prior.mean
    numbers = real_numbers(centred)
    white = doubled(numbers.flatten(1)) / _deviation(prior, sigma)
    volume = math.log(2 * math.pi) + 2 * math.log(_deviation(prior, sigma))
    return -0.5 * (white.square().sum(dim=1) + white.shape[1] * volume)


def _deviation(prior: Prior, sigma: float) -> float:
    return math.sqrt(prior.variance + sigma**2)
