"""The probability flow in ln(sigma), ``dx/dln(sigma) = x - D(x, sigma)``, to a tolerance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from torch import Tensor

from invscore.options.ranges import SomeShare
from invscore.processes import Denoiser
from invscore.rng import SampleRNG
from invscore.sampling import runge_kutta
from invscore.sampling.base import OfEachImage, geometric, register


@register("adaptive", steps=None, spacing=geometric, cites="Song et al. 2021 (score SDE), Sec. 4.3")
def adaptive(
    denoise: Denoiser,
    x: Tensor,
    sigmas: Sequence[float],
    rng: SampleRNG,  # noqa: ARG001
    *,
    rtol: SomeShare = 1e-3,
    atol: SomeShare = 1e-3,
) -> Iterator[Tensor]:
    """The probability flow by Dormand and Prince's method, each image in steps of its own.

    Of ``sigmas`` the first and the last that is not 0 count. The others say by their number how
    often there is a state: after equal parts of the way in ln(sigma). ``rtol``, ``atol``: a step's
    error is at most ``atol + rtol |x|`` in root mean square over the pixels, ``atol`` in image
    units.

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import adaptive
    >>> *_, last = adaptive(prior.denoise, x, sigmas, rng)
    >>> bool(abs(last.std() - 0.2) < 0.02)
    True
    """
    positive = [sigma for sigma in sigmas if sigma > 0]

    def velocity(log_sigma: Tensor, x: Tensor, images: Tensor) -> Tensor:
        chosen = denoise.select(images) if isinstance(denoise, OfEachImage) else denoise
        return x - chosen(x, log_sigma.exp())

    ends = math.log(positive[0]), math.log(positive[-1])
    excess = runge_kutta.relative(rtol, atol)
    for state in runge_kutta.adaptive(velocity, x, *ends, excess, len(positive) - 1):
        x = state
        yield x
    if sigmas[-1] == 0:
        yield denoise(x, positive[-1])
