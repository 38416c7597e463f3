"""Draws of the clean image whose spectrum of uncertainty is the denoiser's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

from invscore import levels
from invscore.likelihood import InverseProblem
from invscore.methods.base import Step, register
from invscore.methods.common.equivariant_denoiser import EquivariantDenoiser
from invscore.methods.common.initial_guess import initial_guess
from invscore.methods.gaussian_field import frequency_bands
from invscore.methods.gaussian_field.waves import bands_behind
from invscore.methods.matched_spectrum.begin import FEWEST, begin, widened
from invscore.methods.matched_spectrum.cheapest import measurement_for
from invscore.methods.matched_spectrum.denoiser_covariance import DenoiserCovariance
from invscore.methods.matched_spectrum.local_answer import LocalAnswer
from invscore.methods.matched_spectrum.lost_detail import LostDetail, law_for, tails
from invscore.methods.matched_spectrum.measurement import AtLevel, Measurement
from invscore.methods.matched_spectrum.nonlinear import NonlinearMeasurement
from invscore.methods.matched_spectrum.own_error import OwnError
from invscore.operators import LinearOperator
from invscore.options.ranges import Count, Level
from invscore.priors.base import Prior
from invscore.rng import SampleRNG

Spread = Literal["told", "local", "seen", "uneven"]

NEAR = 1.0
"""Standard deviation of the window over which ``uneven`` draws are alike, in pixels."""


@register(
    "matched_spectrum",
    exact=False,
    law="near the posterior of isotropic stationary Gaussian fields; biased elsewhere",
    antithetic=True,
    cites="the covariance of Rozet et al. 2024, the renewal of Zhang et al. 2024 (DAPS), the noise "
    "of Kawar et al. 2022 (DDRM), the symmetries of Terris et al. 2024; here",
    white=True,
    tails=tails,
)
def matched_spectrum(
    problem: InverseProblem,
    prior: Prior,
    rng: SampleRNG,
    *,
    steps: Count = 20,
    sigma_max: Level | None = None,
    sigma_min: Level | None = None,
    spread: Spread = "told",
) -> Iterator[Step]:
    """Moment-matched diffusion, the covariance by frequency.

    Draws the clean image given y, as uncertain at each frequency as D is there, adds noise again.
    Takes ``p(x0 | x)`` for ``N(D, C)``. C is sigma^2 J, the true covariance (Tweedie), averaged
    over the image: a filter, whose gains in frequency bands are seen in what D makes of the noise
    that was added (``DenoiserCovariance``): no product with J is needed. At each level x0 is drawn
    from that Gaussian given y, and noise of the next level added to it: if the draw were from p(x0
    | x, y), so would x be from its posterior at every level. The last step ends at x0. Where the
    noise of y is Gaussian and the operator is a filter or has a cheap SVD, the noise of x is as
    much that of y as it can be (``SharedNoise``): D then sees the true image where it is measured,
    not a draw of it, and little of y is left for the Gaussian to explain. Elsewhere it is fresh.
    Draws are in closed form of filters of real images (blurs that wrap around, and of mirrored
    images by kernels that are their own mirror image) and of decimation, and by a few conjugate
    gradients of other linear operators; where the operator is not linear, by Gauss-Newton steps
    (``NonlinearMeasurement``). Complex images are next to nothing outside an object: for them
    the Gaussian is as uneven as the error of D is. A symmetric prior is evaluated at rotated and
    mirrored images (``EquivariantDenoiser``). Serves any operator and any noise, taken to be
    Gaussian of the variance at A(D).

    ``steps``: denoiser evaluations. ``sigma_max``, ``sigma_min``: the first and the last level, in
    image units (default: 2, or 20 where the operator is not linear and gives no first guess, and
    0.04 standard deviations of a pixel under the prior), spaced as in Karras et al. 2022, Eq. 5.
    ``spread``: of draws, ``told`` by the answer of D to noise, the same everywhere; ``local``, as
    uneven over the image as that answer is (``LocalAnswer``), as photographs are uncertain at
    edges; or, beside that, no less than the error that is ``seen`` at the draw before, where y says
    nothing (``OwnError``): behind blurs D errs more on draws of a field than on images. ``uneven``:
    beside that, y moves most what is most uncertain, over a pixel's neighbours, by conjugate
    gradients, and of the error that is seen what draws were widened by is left out. Where the noise
    is fresh, and of complex images, nothing is local. All but ``told`` begin at draws of the first
    guess, not at its mean, where that leaves more open in real images (c, h, w) than the first
    level hides (``begin``): in holes, beyond borders and behind much noise samples would all have
    the guess's coarse content. With them, and a prior that knows how strong fine detail is
    (``Prior.detail``), what samples lack of it is made up for at the end (``LostDetail``).

    After the example of ``invscore.methods``:

    >>> result = reconstruct(problem, prior, method="matched_spectrum", samples=4)
    >>> bool((result.mean - exact.mean).abs().mean() < 0.05)
    True
    """
    operator = problem.operator
    first = levels.guessed if isinstance(operator, LinearOperator) else levels.widest
    high = first(prior) if sigma_max is None else sigma_max
    low = levels.fine(prior) if sigma_min is None else sigma_min
    sigmas = levels.karras(steps, high, low)
    begins_apart = spread != "told" and steps >= FEWEST
    guess = begin(problem, prior, rng) if begins_apart else initial_guess(problem, prior, 0.0, rng)
    bands = bands_behind(operator, guess)
    uneven = spread == "uneven"
    measurement: Measurement
    if isinstance(operator, LinearOperator):
        measurement = measurement_for(problem, operator, bands, uneven)
    else:
        measurement = NonlinearMeasurement(problem, bands)
    if begins_apart:
        guess = widened(guess, problem, prior, measurement, sigmas[0], rng)
    local = None
    if measurement.local and spread != "told":
        local = LocalAnswer(bands, NEAR) if uneven else LocalAnswer(bands)
    covariance = DenoiserCovariance(bands)
    own = OwnError(bands, apart=uneven) if uneven or spread == "seen" else None
    clean = measurement.picture(guess)
    del guess
    x = measurement.state(clean, sigmas[0], rng)
    lost = None
    if (law := law_for(problem, prior, spread)) is not None:
        lost = LostDetail(problem, law, clean.image[:1])
    denoise = EquivariantDenoiser(prior, rng)
    for sigma, lower in pairwise(sigmas):
        before = clean.spectrum
        # Of small images too, to spare two transforms; nothing large is held longer than needed.
        small = clean.image[0].numel() <= frequency_bands.SMALL
        shown = clean.image if small and local is not None else None
        del clean
        answer = denoise(x.image, sigma)
        denoised = bands.spectrum(answer)
        if shown is not None and local is not None:
            local.see(x.image - shown, answer - shown, sigma)
        del answer, shown
        if local is not None and not small:
            noise = bands.image(x.spectrum - before)
            local.see(noise, bands.image(denoised - before), sigma)
            del noise
        c = covariance.estimate(denoised, before, x.spectrum, sigma, prior.mean)
        state = measurement.asked(x)
        del x
        drawn = c
        if own is not None:
            drawn = own.spread(c, *measurement.drawn(before, denoised, sigma), sigma)
        level = AtLevel(sigma, c, drawn, denoised, before, state, local)
        del c, drawn, denoised, before, state
        clean = measurement.draw(level, rng)
        if lower == 0 and lost is not None:
            clean = measurement.picture(lost(clean.image, rng))
        x = measurement.state(clean, lower, rng) if lower > 0 else clean
        yield Step(x.image, clean.image, lower)
