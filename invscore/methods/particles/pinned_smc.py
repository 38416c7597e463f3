"""Sequential Monte Carlo on states that share the noise of the measurement."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from invscore import levels
from invscore.batches import real_numbers
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.matched_pixels import PROBES, passed
from invscore.methods.matched_spectrum.method import matched_spectrum
from invscore.methods.particles.matched_smc import tempered
from invscore.methods.particles.particle_sets import ParticleSets
from invscore.methods.particles.pinned import Pinned
from invscore.methods.particles.resampling import (
    SIZE,
    answers,
    effective_size,
    independent_size,
    survivors,
)
from invscore.options.ranges import Count, Level, Share
from invscore.priors.base import Prior
from invscore.rng import SampleRNG

START = 60.0
"""First level, in standard deviations of a pixel: modes that differ in all of 256 pixels by two of
them are an eighth of it from one another along any line."""
WIDE = 30.0
"""First level of `matched_spectrum`, in standard deviations of a pixel, at which no guess chooses
between modes."""
LEAST = 1e-6
"""Least share of the noise that D is taken to pass."""
COLLAPSED = 0.1
"""Effective sample size, as a share of the particles, below which a set is given up: behind fields
and covariances whose measured part tells the rest it is 0.04, behind mixtures 0.2 to 1."""


@register(
    "pinned_smc",
    exact=True,
    law="posterior as particles and steps grow",
    needs=("linear", "svd", "gaussian"),
    evaluations="particles",
    products=f"{PROBES} * particles",
    particles="particles",
    cites="the path of Trippe et al. 2023 (SMCDiff), of noisy coefficients as Cardoso et al. 2024 "
    "(MCGDiff); here",
    white=True,
)
def pinned_smc(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 20,
    particles: Count = 100,
    evenness: Share = 0.5,
    at_once: Count = 256,
    sigma_max: Level | None = None,
    sigma_min: Level | None = None,
) -> Iterator[Step]:
    """Sequential Monte Carlo with a shared path of y.

    On the singular vectors of the operator a measured coefficient is itself a noisy coefficient,
    of the level of its noise; above that, x has there the measurement with more noise, the same
    in all particles (``Pinned``). A particle's weight says how well D at x expects the next state
    of these coefficients, which all particles share: so weights stay even in hundreds of dimensions
    and decide between modes. The others follow the diffusion of the prior: x0 is drawn from ``N(D,
    c)`` given these coefficients, c the median over particles of what D leaves of a pixel's
    variance, and x moves to the next level by ``p(x' | x, x0)``. What c is wrong by counts as the
    square of a step. Where the measured part of an image tells much of the rest, few particles have
    the weight: sets of an effective sample size below a tenth are given up, and their samples drawn
    by `matched_spectrum` from 30 deviations of a pixel, in as many steps again. Samples share sets
    as those of ``smc``. The last step ends at x0.

    ``steps``: evaluations a particle. ``particles``: in a set. ``evenness``: effective sample size,
    as a share of the particles, below which they are resampled. ``at_once``: particles whose
    evaluations are in memory together. ``sigma_max``, ``sigma_min``: first and last level, in image
    units (default: 60 and 0.04 standard deviations of a pixel), as in Karras et al. 2022, Eq. 5.

    After the example of ``invscore.methods``:

    >>> options = {"particles": 20, "steps": 10}
    >>> result = reconstruct(problem, prior, method="pinned_smc", samples=20, **options)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    crowd = ParticleSets.of(rng, particles)
    streams, tasks = crowd.rng, problem.select(crowd.first)
    count = len(crowd.first)
    pinned = Pinned.of(tasks, particles)
    like = pinned.like.expand(count, *pinned.like.shape[1:])
    dtype = problem.image_dtype
    first = particles * torch.arange(count, device=like.device)[:, None]
    chosen = particles * crowd.group + crowd.member

    def normal() -> Tensor:
        """Standard normal images of all particles, (g k, \\*shape)."""
        each = like.new_empty(count, particles, *like.shape[1:])
        return streams.normal_like(each).flatten(0, 1)

    def see(x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        """D, and the variance of a pixel of x0 given x that is the median of a set."""
        seen = [passed(prior, part.to(dtype), sigma) for part in torch.split(x, at_once)]
        share = torch.cat([each.flatten(1).mean(dim=1) for _, each in seen]).to(x.real.dtype)
        middle = share.reshape(count, particles).median(dim=1).values.clamp(LEAST, 1)
        c = sigma**2 * middle.repeat_interleave(particles).reshape(-1, *[1] * (x.ndim - 1))
        return torch.cat([denoised for denoised, _ in seen]).to(x.dtype), c

    high = levels.of_pixel(prior, START) if sigma_max is None else sigma_max
    low = min(levels.fine(prior), high) if sigma_min is None else sigma_min
    mean = torch.zeros_like(like[:1]) + prior.mean
    white = normal()
    pinned.follow(math.inf, high, streams.normal_like(like))
    x = pinned.states(mean + high * white, mean.expand_as(white), white, math.inf, high)
    log_weights = x.real.new_zeros(count, particles)
    least = log_weights.new_full((count,), particles)
    family = torch.arange(particles, device=x.device).expand(count, particles)
    for sigma, lower in pairwise(levels.karras(steps, high, low)):
        denoised, c = see(x, sigma)
        pinned.follow(sigma, lower, streams.normal_like(like))
        told = pinned.told(x, sigma, lower)
        found = pinned.evidence(told, denoised, c)
        log_weights = log_weights + found.reshape(count, particles)
        least = torch.minimum(least, effective_size(log_weights))
        even = tempered(log_weights, evenness)
        rest = log_weights - even
        places, uniform = denoised.reshape(count, particles, -1), streams.uniform(even)
        kept, even = survivors(even, places, uniform, evenness)
        log_weights, family = even + rest.gather(1, kept), family.gather(1, kept)
        kept = (first + kept).flatten()
        x, denoised = x[kept], denoised[kept]
        told = told._replace(u=told.u[kept])
        clean = pinned.draw(told, denoised, c, normal(), normal())
        if lower == 0:
            break
        share, fresh = 1 - (lower / sigma) ** 2, normal()
        free = x + share * (clean - x) + lower * share**0.5 * fresh
        x = pinned.states(free, clean, fresh, sigma, lower)
        yield Step(x[chosen].to(dtype), denoised[chosen].to(dtype), lower)

    placed = real_numbers(clean).reshape(count, particles, -1)
    size = torch.minimum(least, independent_size(log_weights, placed, family))
    kept = answers(tempered(log_weights, evenness), streams)
    final = clean[(first + kept).flatten()][chosen].to(dtype)
    given_up = least < COLLAPSED * particles
    if bool(given_up.any()):
        places = given_up[crowd.group].nonzero()[:, 0]
        own = SampleRNG([rng.keys[int(place)] for place in places], rng.device)
        task, wide = problem.select(places), levels.of_pixel(prior, WIDE)
        *_, last = matched_spectrum(task, prior, own, steps=steps, sigma_max=wide)
        final[places] = last.x
        if len(problem.operator.in_shape) > 1:  # of vectors, it is told: they have no spectrum
            size = torch.where(given_up, float(particles), size)
    yield Step(final, final, sigma, {SIZE: size[crowd.group]})
