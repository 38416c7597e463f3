"""Diffusion with manifold constraints."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.data_consistency import replacement
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.tempering import informed_share
from invscore.methods.dps import guided_step
from invscore.options.ranges import Count, Guidance, Weight
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "mcg",
    exact=False,
    law="biased: replaces measured coefficients, does not condition on them",
    products="1",
    cites="Chung et al. 2022 (manifold constraints), Algorithm 1",
)
def mcg(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 1000,
    guidance: Guidance = 0.1,
    lam: Weight = 1.0,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Manifold constrained gradients (MCG).

    A step of DPS, then the noised measurement replaces its part. Each ancestral step of DDPM is
    followed by ``-guidance grad |y - A(D(x))|``, then by the projection on ``A x = y + sigma A z``,
    softened where the noise s of the measurement counts: ``x += (A^H A + rho I)^-1 A^H (y + sigma A
    z - A x)``, ``rho = lam s^2 / sigma^2``. An operator that is not linear is replaced by its
    tangent at D(x) there. Serves any operator and noise. Biased.

    ``steps``: denoiser evaluations, spread over DDPM's 1000 times. ``guidance``: the paper's 0.1, a
    length in the units of [-1, 1]. ``lam``: distrust of the measurement's noise.
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="mcg", samples=4, steps=100)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.2)
    True
    """
    sigmas = levels.ddpm(steps, prior, levels.widest(prior))
    x = initial_guess(problem, prior, sigmas[0], rng, initial)
    share = informed_share(problem, prior, x)
    for sigma, lower in pairwise(sigmas):
        x, denoised = guided_step(problem, prior, x, sigma, lower, guidance * share, rng)
        if lower > 0:
            x = x + share * replacement(problem, x, denoised, lower, lam, rng)
        yield Step(x, denoised, lower)
