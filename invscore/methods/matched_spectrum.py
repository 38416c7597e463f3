"""Draws of the clean image whose spectrum of uncertainty is the denoiser's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.antithetic import AntitheticRNG
from invscore.methods.base import Step, register
from invscore.methods.response import Response
from invscore.methods.rings import Rings
from invscore.methods.start import begin
from invscore.methods.stationary_draw import StationaryDraw
from invscore.operators import LinearOperator
from invscore.priors.base import Prior
from invscore.rng import SampleRNG


@register(
    "matched_spectrum",
    exact=False,
    law="posterior of isotropic stationary Gaussian fields as sigma_max grows; biased elsewhere",
    needs=("linear",),
    cites="the covariance of Rozet et al. 2024, the renewal of Zhang et al. 2024 (DAPS); here",
)
def matched_spectrum(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: int = 20,
    antithetic: bool = True,
    sigma_max: float | None = None,
    sigma_min: float | None = None,
) -> Iterator[Step]:
    """Draw the clean image given y, as uncertain at each frequency as D is there, add noise again.

    Takes ``p(x0 | x)`` for ``N(D, C)`` with C = sigma^2 J, the true one (Tweedie), averaged over
    the image: a filter, whose gains in rings of frequencies are seen in what D makes of the noise
    that was added (``response``): no product with J is needed. At each level x0 is drawn from that
    Gaussian given y, exactly, and noise of the next level added to it, all of it fresh: if the
    draw were from p(x0 | x, y), so would x be from its posterior at every level. The last step
    ends at x0. Serves linear operators and any noise, taken to be Gaussian of the variance at A(D).

    ``steps``: denoiser evaluations. ``antithetic``: samples 2 k and 2 k + 1 share their random
    numbers with opposite signs, so that the mean of a few samples is about as good as that of many;
    their law is the same, but they are not independent. ``sigma_max``, ``sigma_min``: the first and
    the last level, in image units (default: 2 and 0.04 standard deviations of a pixel under the
    prior), spaced as in Karras et al. 2022, Eq. 5.
    """
    operator = problem.operator
    if not isinstance(operator, LinearOperator):
        raise ValueError(
            f"matched_spectrum needs a linear operator, given {type(operator).__name__}"
        )
    deviation = prior.variance**0.5
    high = min(2 * deviation, prior.sigma_max) if sigma_max is None else sigma_max
    low = max(0.04 * deviation, prior.sigma_min) if sigma_min is None else sigma_min
    sigmas = levels.karras(steps, high, low)
    streams = AntitheticRNG(rng) if antithetic else rng
    clean = begin(problem, prior, 0.0, streams)
    rings = Rings(clean)
    response, draw = Response(rings, prior.mean), StationaryDraw(problem, operator, rings)
    x = clean + sigmas[0] * streams.normal_like(clean)
    for sigma, lower in pairwise(sigmas):
        denoised = prior.denoise(x, sigma)
        clean = draw(denoised, response.see(denoised, clean, x, sigma), streams)
        x = clean + lower * streams.normal_like(clean) if lower > 0 else clean
        yield Step(x, clean, lower)
