"""The reverse-time SDE in variance-exploding form, ``dx = -2 sigma score dsigma + noise``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated

from annotated_types import Interval
from torch import Tensor

from invscore.options.ranges import Rate
from invscore.processes import Denoiser
from invscore.rng import SampleRNG
from invscore.sampling.base import geometric, register
from invscore.sampling.steps import ddim_step, langevin_step


@register(
    "euler-maruyama", steps=500, spacing=geometric, cites="Song et al. 2021 (score SDE), Eq. 46"
)
def euler_maruyama(
    denoise: Denoiser, x: Tensor, sigmas: Sequence[float], rng: SampleRNG
) -> Iterator[Tensor]:
    """Euler-Maruyama on the reverse-time SDE, in steps of sigma^2.

    ``x += v score(x) + sqrt(v) z`` with ``v = sigma^2 - lower^2``. A step to sigma = 0 adds no
    noise: it ends at D(x).

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import euler_maruyama
    >>> *_, last = euler_maruyama(prior.denoise, x, sigmas, rng)
    >>> bool(abs(last.std() - 0.2) < 0.1)
    True
    """
    for sigma, lower in pairwise(sigmas):
        removed = sigma**2 - lower**2
        x = x + removed / sigma**2 * (denoise(x, sigma) - x)
        if lower > 0:
            x = x + removed**0.5 * rng.normal_like(x)
        yield x


@register(
    "pc",
    steps=200,
    spacing=geometric,
    cites="Song et al. 2021 (score SDE), Algorithm 2",
    evaluations=2,
)
def predictor_corrector(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    rng: SampleRNG,
    *,
    snr: Rate = 0.16,
    corrections: Annotated[int, Interval(ge=0, le=1000)] = 1,
) -> Iterator[Tensor]:
    """An ancestral step to the next level, then Langevin dynamics there.

    ``corrections`` Langevin steps for a time ``2 snr^2 sigma^2`` each: the paper's rule with the
    norm of the score at its typical value, so that an image does not depend on its batch.
    ``snr``: the paper's r. One evaluation a step, and one a correction.

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import predictor_corrector
    >>> *_, last = predictor_corrector(prior.denoise, x, sigmas, rng, snr=0.1)
    >>> bool(abs(last.std() - 0.2) < 0.1)
    True
    """
    for sigma, lower in pairwise(sigmas):
        x = ddim_step(x, denoise(x, sigma), sigma, lower, 1.0, rng)
        if lower > 0:
            for _ in range(corrections):
                x = langevin_step(x, denoise(x, lower), lower, lower, 2 * snr**2, rng)
        yield x
