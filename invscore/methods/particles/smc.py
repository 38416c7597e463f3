"""Twisted sequential Monte Carlo."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import initial_guess
from invscore.methods.common.tempering import squared_norm
from invscore.methods.particles.particle_sets import ParticleSets
from invscore.methods.particles.resampling import (
    SIZE,
    answers,
    effective_size,
    survivors,
    tempered_exponent,
)
from invscore.methods.particles.twisting import (
    general_twist,
    is_linear_gaussian,
    likelihood,
    linear_twist,
)
from invscore.options.ranges import Count, Level, Share
from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling.base import noise_only


@register(
    "smc",
    exact=True,
    law="posterior as particles and steps grow",
    evaluations="particles",
    products="particles",
    particles="particles",
    cites="Wu et al. 2023 (TDS), Algorithm 1; tempering: Del Moral et al. 2012, Sec. 3.2",
)
def smc(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 200,
    particles: Count = 100,
    evenness: Share = 0.5,
    at_once: Count = 256,
    sigma_max: Level | None = None,
) -> Iterator[Step]:
    """Twisted sequential Monte Carlo (TDS).

    Particles that are guided, weighted and resampled. On geometric levels, particles make ancestral
    steps guided by ``psi(x)^e``, an estimate of ``p(y | x)`` from D(x), with the exponent e at most
    1. Weights correct what the guidance does: ``p(x' | x) psi(x')^e' / (q(x' | x) psi(x)^e)``, p
    the ancestral step, q the guided one; at the last level psi is ``p(y | D)`` itself. Where the
    effective sample size falls below ``evenness`` times the particles, they are resampled
    (systematically, in an order that keeps neighbours together); e rises from 0 to 1 no faster than
    half of that allows. Serves any operator and noise.

    A sample is one particle of the last, resampled set. Samples ``k`` of an image with the
    same ``(seed + k) // particles`` share a set, so that ``samples = particles`` costs no
    more than one, and are dependent in as far as the set is; those of different sets
    are independent.

    ``steps``: levels; each costs an evaluation and a Jacobian product a particle. ``particles``:
    in a set. ``evenness``: 0 (never resample) to 1. ``at_once``: particles whose evaluations
    are in memory together. ``sigma_max``: the first level, in image units (default: 160 standard
    deviations of a pixel under the prior, or the largest level that it knows).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="smc", samples=50, particles=50, steps=50)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.2)
    True
    """
    crowd = ParticleSets.of(rng, particles)
    streams, tasks = crowd.rng, problem.select(crowd.first)
    count = len(crowd.first)
    guess = initial_guess(tasks, prior, 0.0, streams)
    strength = torch.as_tensor(squared_norm(tasks, guess), device=guess.device)
    strength = strength.expand(count, *[1] * (guess.ndim - 1))
    owners = torch.arange(count, device=guess.device).repeat_interleave(particles)
    rows = torch.arange(count, device=guess.device)[:, None]

    def look(x: Tensor, sigma: float, last: bool) -> tuple[Tensor, Tensor, Tensor]:
        """The denoised particles, log psi, (g, k), and its gradient in x."""
        parts = []
        chunks = zip(
            torch.split(x.flatten(0, 1), at_once), torch.split(owners, at_once), strict=True
        )
        for some, owner in chunks:
            task = tasks.select(owner)
            denoised, pull = prior.pullback(some, sigma)
            if last:
                twist = likelihood(task, denoised), torch.zeros_like(some)
            elif is_linear_gaussian(task):
                twist = linear_twist(task, prior, denoised, pull, sigma)
            else:
                twist = general_twist(task, prior, strength[owner], denoised, pull, sigma)
            parts.append((denoised, *twist))
        denoised, potential, gradient = (torch.cat(part) for part in zip(*parts, strict=True))
        return denoised.reshape(x.shape), potential.reshape(x.shape[:2]), gradient.reshape(x.shape)

    high = noise_only(prior) if sigma_max is None else sigma_max
    sigmas = levels.geometric(steps, high, levels.finest(prior))
    x = guess[:, None].expand(count, particles, *guess.shape[1:])
    x = prior.mean + (sigmas[0] ** 2 + prior.variance) ** 0.5 * streams.normal_like(x)
    log_weights = torch.zeros_like(x.real.flatten(2)[..., 0])
    exponent, like = log_weights.new_zeros(count), (count, 1, *[1] * (x.ndim - 2))
    for sigma, lower in zip(sigmas, [*sigmas[1:], 0.0], strict=True):
        denoised, potential, gradient = look(x, sigma, last=lower == 0)
        if lower == 0:
            break
        exponent = tempered_exponent(log_weights, potential, exponent, 0.5 * evenness)
        log_weights = log_weights + exponent[:, None] * potential
        size = {SIZE: effective_size(log_weights)[crowd.group]}
        yield Step(x[crowd.group, crowd.member], denoised[crowd.group, crowd.member], sigma, size)

        uniform = streams.uniform(log_weights)
        kept, log_weights = survivors(log_weights, denoised, uniform, evenness)
        x, denoised, gradient = x[rows, kept], denoised[rows, kept], gradient[rows, kept]
        potential = potential[rows, kept]

        spread = lower * (1 - (lower / sigma) ** 2) ** 0.5
        shift = (sigma**2 - lower**2) * exponent.reshape(like) * gradient
        noise = streams.normal_like(x)
        x = denoised + (lower / sigma) ** 2 * (x - denoised) + shift + spread * noise
        # log p(x' | x) - log q(x' | x): x' is spread * noise off the guided mean, and the shift
        # more off the other.
        numbers = (shift.conj() * (shift + 2 * spread * noise)).real.flatten(2).sum(dim=2)
        log_weights = log_weights - numbers / (2 * spread**2) - exponent[:, None] * potential

    log_weights = log_weights + potential
    kept = answers(log_weights, streams)
    final = denoised[rows, kept][crowd.group, crowd.member]
    yield Step(final, final, sigmas[-1], {SIZE: effective_size(log_weights)[crowd.group]})
