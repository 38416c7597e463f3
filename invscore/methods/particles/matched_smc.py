"""Sequential Monte Carlo with Gaussian steps whose moments are those of the true ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from invscore import levels
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.matched_spectrum.method import matched_spectrum
from invscore.methods.particles.local_gaussian import (
    LocalGaussian,
    look,
    measured_numbers,
    unflatten,
)
from invscore.methods.particles.looking_together import Together, agree
from invscore.methods.particles.low_rank import Spectrum
from invscore.methods.particles.particle_sets import ParticleSets
from invscore.methods.particles.resampling import (
    SIZE,
    answers,
    effective_size,
    independent_size,
    survivors,
    tempered_exponent,
)
from invscore.operators import LinearOperator
from invscore.options.ranges import Count, Share
from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling.base import noise_only

MOST, MOST_OWN = 2**10, 2**8
"""Most measured numbers, all of which take a matrix of their size: where particles share J, and
where each takes a product with its own for every number."""
WIDE = 30.0
"""First level of `matched_spectrum`, in standard deviations of a pixel, at which no guess chooses
between modes."""
COLLAPSED, OFTEN = 0.1, 0.25
"""Effective sample size, as a share of the particles, and share of the levels at which it is below:
from there on a set that shares J is given up. Correlated fields of 32 x 32 come to 0.35; images in
several modes come to 0.15: weights decide between modes at few levels."""
UNLIKE = 0.3
"""Share of products with J that differs between particles at the last level, from where on a set is
given up if so few particles decide at any level. Of jumps it is 0.6 to 0.7, of modes of one
covariance 0 once they are apart; it is not known where numbers are more than products."""
AGAIN = 20
"""Least steps that draw what is given up."""
START = 4.0
"""First level, in standard deviations of images along their principal axis: what is taken for
Gaussian there has 1/70 of the skewness of the images, and 1/300 of their excess kurtosis."""


@register(
    "matched_smc",
    exact=True,
    law="posterior as particles and steps grow; of a Gaussian prior in any number of steps where "
    "the directions of all particles are as many as the numbers of an image",
    evaluations="particles",
    products="particles * (directions + own * measurements)",
    particles="particles",
    cites="the covariance of Rozet et al. 2024, the weights of Wu et al. 2023 (TDS); here",
    white=True,
)
def matched_smc(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 100,
    particles: Count = 100,
    directions: Count = 2,
    evenness: Share = 0.5,
    at_once: Count = 256,
) -> Iterator[Step]:
    """Moment-matched sequential Monte Carlo.

    Particles that move by the true mean and covariance. Takes ``p(x0 | x)`` for ``N(D, C)`` with
    its true moments, C = sigma^2 J. A step draws x0 from it *given y* and takes x to the next level
    by ``p(x' | x, x0)``. The weights correct what is not Gaussian: ``psi(x') / p(y | x', x)``,
    where ``psi(x) = N(y; A D, S + A C A^H)``, and the denominator is what the Gaussian at x expects
    of it. With an effective sample size below ``evenness`` times the particles, they are resampled;
    where weights leave far less, by a power of them, and particles keep the rest: what a step
    overstates, a later one takes back. At the end the rest is left out, so that too sharp a
    likelihood costs exactness, not all particles. The last step ends at x0.

    J is the mean of its set, of which a particle tells its products with few ``directions``, and
    others the rest: the rows of A, axes along which the particles spread, and random ones. In all
    else J is known by its mean. Where directions are as many as the numbers of an image, a Gaussian
    prior's posterior is met in any number of steps. What J differs by between particles weights
    make up for. Particles of a network, whose J differ more, have each their own, from all rows and
    ``directions`` random ones, as have those of an operator that is not linear, which is linearised
    as is best for x0 of this Gaussian (``linearised``).

    Sets of images that share J, and whose effective sample size is below a tenth at a quarter of
    the levels, or at one if J differs between particles up to the last level, as it does of jumps,
    are given up; their samples are drawn by `matched_spectrum` from 30 deviations of a pixel, in as
    many steps again, but 20 at least.

    The first step is from the mean of the prior at its largest level to four times the deviation
    that images have along their main axis. Samples share sets as those of ``smc``.

    ``steps``: evaluations a particle. ``particles``: in a set. ``directions``: in which a particle
    looks at J. ``evenness``: 0 (never resample) to 1. ``at_once``: particles whose
    evaluations are in memory together.

    Takes matrices of the size of the measurement: ``ValueError`` for more than 1024 numbers, and
    for more than 256 where particles have their own J.

    After the example of ``invscore.methods``:

    >>> options = {"particles": 20, "steps": 4, "directions": 2}
    >>> result = reconstruct(problem, prior, method="matched_smc", samples=20, **options)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.1)
    True
    """
    numbers = len(measured_numbers(problem))
    shared = isinstance(problem.operator, LinearOperator) and agree(prior)
    if numbers > (most := MOST if shared else MOST_OWN):
        why = "" if shared else " behind this operator with this prior"
        raise ValueError(f"matched_smc takes at most {most} measured numbers{why}, got {numbers}")
    crowd = ParticleSets.of(rng, particles)
    streams, tasks = crowd.rng, problem.select(crowd.first)
    count = len(crowd.first)
    like = problem.y.new_zeros(count, *problem.operator.in_shape, dtype=problem.image_dtype)
    first = particles * torch.arange(count, device=like.device)[:, None]
    owners = torch.arange(count, device=like.device).repeat_interleave(particles)
    everyone, chosen = tasks.select(owners), particles * crowd.group + crowd.member
    together = Together.of(tasks, particles, directions, at_once) if shared else None

    def normal(like: Tensor) -> Tensor:
        """Standard normal numbers of the shape of ``like``, (g k, n)."""
        return streams.normal_like(like.reshape(count, particles, -1)).reshape(like.shape)

    def see(x: Tensor, sigma: float) -> LocalGaussian:
        if together is not None:
            return together.look(prior, x, sigma, local.mean)
        parts = zip(torch.split(x, at_once), torch.split(owners, at_once), strict=True)
        return LocalGaussian.join(
            [
                look(tasks.select(owner), prior, some, sigma, directions, covariance_given(sigma))
                for some, owner in parts
            ]
        )

    # The first step comes from where nothing of an image is left.
    top = noise_only(prior)
    covariance = covariance_of_all(top)
    if together is None:
        local = look(tasks, prior, like + prior.mean, top, directions, covariance)
    else:
        local = together.look_once(prior, like + prior.mean, top)
    start = levels.known(prior, START * float(local.jacobian.largest(covariance)[0].sqrt()))
    start = min(top, start)
    if not start > levels.finest(prior):
        raise ValueError(
            f"matched_smc needs a prior of several noise levels, got one of {start:.3g} alone"
        )
    sigmas = [math.inf, *levels.karras(steps - 1, start, levels.finest(prior))]
    local = local.shared(particles)
    x, log_weights = local.mean, local.mean.new_zeros(count, particles)
    size = log_weights.new_full((count,), particles)
    low = log_weights.new_zeros(count)
    family = torch.arange(particles, device=x.device).expand(count, particles)
    for sigma, lower in pairwise(sigmas):
        if sigma < math.inf:
            local, covariance = see(unflatten(x, like), sigma), covariance_given(sigma)
            found = local.evidence(covariance, local.mean)
            log_weights = log_weights + found.reshape(count, particles)
            size = effective_size(log_weights)
            low = low + (size < COLLAPSED * particles)
            even = tempered(log_weights, evenness)
            rest = log_weights - even
            places, uniform = local.mean.reshape(count, particles, -1), streams.uniform(even)
            kept, even = survivors(even, places, uniform, evenness)
            log_weights, family = even + rest.gather(1, kept), family.gather(1, kept)
            kept = (first + kept).flatten()
            x, local = x[kept], local.select(kept)
        clean = local.draw(covariance, normal(x), normal(local.y))
        if lower == 0:
            break
        share = 1 - (lower / sigma) ** 2
        middle = x + share * (local.mean - x)
        x = x + share * (clean - x) + lower * share**0.5 * normal(x)
        expected = local.ahead(covariance, share, lower, x - middle)
        log_weights = log_weights - expected.reshape(count, particles)
        state, denoised = unflatten(x, like)[chosen], unflatten(local.mean, like)[chosen]
        yield Step(state, denoised, lower, {SIZE: size[crowd.group]})

    final = unflatten(clean, like)
    correction = everyone.log_likelihood(final) + local.misfit(clean)
    log_weights = log_weights + correction.reshape(count, particles)
    size = effective_size(log_weights)
    placed = clean.reshape(count, particles, -1)
    size = torch.minimum(size, independent_size(log_weights, placed, family))
    kept = answers(tempered(log_weights, evenness), streams)
    final = final[(first + kept).flatten()][chosen]
    if together is not None and len(problem.operator.in_shape) > 1:
        given_up = (low >= OFTEN * steps) | ((low > 0) & (together.unlike > UNLIKE))
        final, places = final.clone(), given_up[crowd.group].nonzero()[:, 0]
        if len(places) and isinstance(problem.noise, GaussianNoise):
            own = SampleRNG([rng.keys[int(place)] for place in places], rng.device)
            task, wide = problem.select(places), levels.of_pixel(prior, WIDE)
            again = max(steps, AGAIN)
            *_, last = matched_spectrum(task, prior, own, steps=again, sigma_max=wide)
            final[places] = last.x
    yield Step(final, final, min(sigma, top), {SIZE: size[crowd.group]})


def tempered(log_weights: Tensor, evenness: float) -> Tensor:
    """The weights, or the power of them whose effective size is nine tenths of ``evenness``."""
    none = torch.zeros_like(log_weights)
    power = tempered_exponent(none, log_weights, none[:, 0], 0.9 * evenness)
    return power[:, None] * log_weights


def covariance_given(sigma: float) -> Spectrum:
    """Covariance of x0 given x, from J (Tweedie)."""
    return lambda j: sigma**2 * j


def covariance_of_all(sigma: float) -> Spectrum:
    """That of x0 under a Gaussian prior, from J.

    An eigenvalue above 1/2, of a level that is too low to hide the prior, is not believed.
    """
    return lambda j: sigma**2 * j / (1 - j).clamp_min(0.5)
