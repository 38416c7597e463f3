"""Predictor-corrector sampling with data consistency."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from torch import Tensor

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.data_consistency import replacement
from invscore.methods.common.initial_guess import Initial, initial_guess
from invscore.methods.common.tempering import informed_share
from invscore.options.ranges import Count, Rate, Share, Weight
from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling import ddim_step, langevin_step


@register(
    "pc",
    exact=False,
    law="biased: replaces measured coefficients, does not condition on them",
    needs=("linear", "gaussian"),
    evaluations="2",
    cites="Song et al. 2021, Algorithm 2; Song et al. 2022, Algorithm 2",
)
def pc(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 1000,
    snr: Rate = 0.16,
    mixing: Share = 1.0,
    lam: Weight = 4.0,
    initial: Initial = "guess",
) -> Iterator[Step]:
    """Predictor-corrector sampling with data consistency.

    The noised measurement is mixed in after every update. On ``steps`` geometric levels: an
    ancestral predictor, then a Langevin corrector for a time ``2 snr^2 sigma^2``, the papers' rule
    with the norm of the score at its typical value (which, unlike the score's own, cannot vanish).
    After each, the measured part is replaced: ``x += mixing (A^H A + rho I)^-1 A^H (y + sigma A z -
    A x)``, ``rho = lam s^2 / sigma^2``, which is the projection of the papers where s is small, and
    fades out where the measurement's own noise s exceeds sigma. Two denoiser evaluations a step.
    Biased.

    ``snr``: the paper's r, 0.16. ``mixing``: the paper's lambda, 0 (ignore y) to 1. ``lam``:
    distrust of the measurement's noise; at 1, textures of it are taken for image.
    ``initial``: a first ``"guess"``, or ``"noise"`` as in the paper (``initial_guess``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="pc", samples=4, steps=50)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.2)
    True
    """
    problem.linear_gaussian("pc")

    def consistent(x: Tensor, sigma: float) -> Tensor:
        return x + share * replacement(problem, x, x, sigma, lam, rng)

    sigmas = levels.geometric(steps + 1, levels.widest(prior), levels.finest(prior))
    x = initial_guess(problem, prior, sigmas[0], rng, initial)
    share = mixing * informed_share(problem, prior, x)
    for sigma, lower in pairwise(sigmas):
        x = ddim_step(x, prior.denoise(x, sigma), sigma, lower, 1.0, rng)
        x = consistent(x, lower)
        denoised = prior.denoise(x, lower)
        x = langevin_step(x, denoised, lower, lower, 2 * snr**2, rng)
        x = consistent(x, lower)
        yield Step(x, denoised, lower)
