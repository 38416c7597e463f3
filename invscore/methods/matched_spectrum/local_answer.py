"""Local variance of the denoiser by Stein's identity, estimated while sampling."""

from __future__ import annotations

import math

from torch import Tensor

from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.matched_spectrum.local_scale import WIDTH, LocalScale, relative


class LocalAnswer:
    """Standard deviations of x0 given x at each place, beside that of the whole image.

    By Stein's identity ``sigma^2 J_ii`` is what D at a pixel has, on average, of the noise there:
    their product is averaged in the window of ``LocalScale``, and over levels, of which earlier
    ones count as (sigma / earlier sigma)^2. Real images. What a draw itself errs by is not in it,
    other than in ``clean - D``: where draws have texture that no image has, D takes it away, and
    that it does so does not make the place uncertain.

    ``width``: that of the window, in pixels.
    """

    def __init__(self, bands: FrequencyBands, width: float = WIDTH) -> None:
        self._window = LocalScale(bands, width)
        self._one_channel = (slice(None), slice(1)) if bands.channels > 1 else ...
        self._passed: Tensor | None = None
        self._sigma = math.inf

    def see(self, noise: Tensor, answer: Tensor, sigma: float) -> None:
        """What x of the level ``sigma``, and D, have beside the draw that x was made from.

        Both (b, \\*shape). ``answer`` is overwritten.
        """
        passed = self._window.windowed(answer.mul_(noise))[self._one_channel] / sigma**2
        if self._passed is not None:
            passed += (sigma / self._sigma) ** 2 * (self._passed - passed)
        # Rough, and held all the time.
        self._passed, self._sigma = passed.bfloat16(), sigma

    def scale(self, like: Tensor) -> Tensor:
        """The deviations, of mean square 1 and alike in all channels: (b, \\*shape) as ``like``."""
        assert self._passed is not None
        return relative(self._passed.to(like.dtype)).expand_as(like)
