"""Split Gibbs sampling."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.likelihood_step import draw_given
from invscore.options.ranges import Count, Level, Share, StableStep
from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling import ddim_step


@register(
    "split_gibbs",
    exact=True,
    law="posterior as rho_min goes to 0, steps and denoising_steps grow",
    evaluations="denoising_steps",
    cites="Wu et al. 2024 (PnP-DM), Algorithm 1; Xu & Chi 2024 (DPnP), Algorithm 1",
)
def split_gibbs(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 100,
    denoising_steps: Count = 20,
    annealing: Share = 0.4,
    rho_max: Level | None = None,
    rho_min: Level | None = None,
    mcmc_steps: Count = 100,
    step_size: StableStep = 0.1,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Split Gibbs sampling (PnP-DM, DPnP).

    An image that fits the data, then what the prior makes of it, in turn. Draws from ``p(y | z)
    N(z; x, rho^2 I) p(x)``: z given x exactly where the operator is linear and the noise Gaussian,
    else by Langevin dynamics on the likelihood; x given z, the denoising posterior at level rho, by
    the reverse diffusion from rho to 0 that starts at z. rho falls to ``rho_min`` during the first
    share ``annealing`` of the iterations and stays. In the end x has the posterior's law for a
    measurement with additional noise of deviation rho on the image: the posterior as ``rho_min``
    goes to 0 (and the chain mixes ever more slowly). Serves any operator and noise.

    ``steps``: iterations. ``denoising_steps``: denoiser evaluations in each, on levels equally
    spaced in sigma; what the prior adds lacks a share of up to 4 / denoising_steps in variance.
    ``rho_max``, ``rho_min``: in image units (default: 20 and 0.6 standard deviations of a pixel
    under the prior, the papers' 10 and 0.3 on images in [-1, 1] with a deviation of 1/2).
    ``mcmc_steps``: Langevin steps for z where they are needed, of length ``step_size`` over the
    curvature at x.
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="split_gibbs", samples=4, steps=20)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.15)
    True
    """
    wide = levels.widest(prior) if rho_max is None else rho_max
    final = levels.of_pixel(prior, 0.6) if rho_min is None else rho_min
    count = round(annealing * steps)
    x = initial_guess(problem, prior, wide, rng, initial)
    for rho in [*levels.geometric(count, wide, final), *[final] * (steps - count)]:
        x = draw_given(problem, x, rho, rng, mcmc_steps=mcmc_steps, step_size=step_size)
        end = min(rho, max(0.1 * rho, prior.sigma_min), levels.finest(prior))
        for sigma, lower in pairwise(levels.karras(denoising_steps, rho, end, 1.0)):
            x = ddim_step(x, prior.denoise(x, sigma), sigma, lower, 1.0, rng)
        yield Step(x, x, rho)
