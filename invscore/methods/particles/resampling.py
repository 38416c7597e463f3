"""Weights of particles: how even they are, and resampling in proportion to them."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.batches import real_numbers
from invscore.hardware.doubles import doubled
from invscore.rng import SampleRNG

SIZE = "effective_sample_size"
"""Key of ``Step.info`` for the effective sample size before resampling."""

BISECTIONS = 30
AXIS_ITERATIONS = 5


def effective_size(log_weights: Tensor) -> Tensor:
    """``(sum w)^2 / sum w^2`` of each set, (g, k) -> (g,): from 1 to k (Kong 1992)."""
    return 1 / log_weights.softmax(dim=1).square().sum(dim=1)


def independent_size(log_weights: Tensor, places: Tensor, family: Tensor) -> Tensor:
    """How many independent draws tell the mean of the particles as well as they do, (g,).

    ``places``, (g, k, *); ``family``, (g, k): the particle of the first step that each stems from.
    Those of a family are alike in what was decided before they parted. The variance of a particle
    is compared with that of the mean, the sum over families of the square of their weighted
    deviations (Chan & Lai 2013; Lee & Whiteley 2018): without resampling and with even weights, k.
    """
    weights = doubled(log_weights).softmax(dim=1)[..., None]
    numbers = doubled(real_numbers(places)).flatten(2)
    away = numbers - (weights * numbers).sum(dim=1, keepdim=True)
    shares = weights * away
    summed = torch.zeros_like(shares).scatter_add(1, family[..., None].expand(shares.shape), shares)
    # A set of no variance, which shares no decision that matters, counts in full.
    least = torch.finfo(shares.dtype).tiny
    one = (weights * away.square()).sum(dim=(1, 2)) + least
    mean = summed.square().sum(dim=(1, 2)) + least / log_weights.shape[1]
    return (one / mean).clamp(1, log_weights.shape[1]).to(log_weights)


def systematic(log_weights: Tensor, uniform: Tensor) -> Tensor:
    """The particles that survive: k indices a set, (g, k), in ascending order.

    A particle of normalised weight w survives ``k w`` times, rounded down or up, ``k w`` on
    average over ``uniform`` in [0, 1), one number a set, (g,) (Kitagawa 1996).
    """
    count = log_weights.shape[1]
    edges = doubled(log_weights).softmax(dim=1).cumsum(dim=1)
    places = torch.arange(count, device=edges.device, dtype=edges.dtype)
    positions = (places + uniform[:, None].to(edges)) / count
    # Rounding may leave the last edge just below 1.
    found = torch.searchsorted(edges, positions, right=True).clamp_max(count - 1)
    return found.to(log_weights.device)


def survivors(
    log_weights: Tensor, places: Tensor, uniform: Tensor, evenness: float
) -> tuple[Tensor, Tensor]:
    """The particles that go on, (g, k), and their log weights.

    Particle sets with an effective size below ``evenness`` times the particles are resampled, in
    the order of the particles at ``places``, (g, k, *), along their main axis; the others stay.
    """
    everyone = torch.arange(log_weights.shape[1], device=log_weights.device)
    order = along_main_axis(places)
    kept = order.gather(1, systematic(log_weights.gather(1, order), uniform))
    uneven = (effective_size(log_weights) < evenness * len(everyone))[:, None]
    return torch.where(uneven, kept, everyone), torch.where(uneven, 0.0, log_weights)


def answers(log_weights: Tensor, rng: SampleRNG) -> Tensor:
    """The particles that samples are, (g, k): resampled, and shuffled.

    Members of a family stand side by side: few samples of many particles shall not be one family.
    """
    kept = systematic(log_weights, rng.uniform(log_weights))
    return kept.gather(1, rng.normal_like(log_weights).argsort(dim=1))


def tempered_exponent(
    log_weights: Tensor, log_factor: Tensor, lowest: Tensor, share: float
) -> Tensor:
    """The largest exponent e in [``lowest``, 1] at which the weights ``w factor^e`` stay even.

    Even: their effective size is at least ``share`` times the number of particles. ``lowest``,
    (g,), where none is. By bisection, as if the effective size fell with e (Del Moral et al. 2012,
    Sec. 3.2). (g, k), (g, k), (g,) -> (g,).
    """

    def even(exponent: Tensor) -> Tensor:
        weights = log_weights + exponent[:, None] * log_factor
        return effective_size(weights) >= share * log_weights.shape[1]

    low, high = lowest, torch.ones_like(lowest)
    full = even(high)
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        fits = even(middle)
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    return torch.where(full, 1.0, low)


def along_main_axis(x: Tensor) -> Tensor:
    """The order of the particles along the axis on which they spread most, (g, k, *) -> (g, k).

    Systematic resampling of particles in an order that keeps neighbours together takes of every
    region what is due to it, up to one particle (Gerber et al. 2019, Sec. 4).
    """
    numbers = real_numbers(x)
    centred = numbers.flatten(2) - numbers.flatten(2).mean(dim=1, keepdim=True)
    axis = centred[:, :1].mT
    for _ in range(AXIS_ITERATIONS):
        axis = torch.nn.functional.normalize(centred.mT @ (centred @ axis), dim=1)
    return (centred @ axis)[..., 0].argsort(dim=1)
