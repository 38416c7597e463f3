"""How a denoiser answers to noise, frequency by frequency, as seen while sampling."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.methods.gaussian_field.frequency_bands import FrequencyBands

FEWEST = 2.0
"""Numbers of a band whose evidence against a linear denoiser counts as much as the assumption."""
TINY = 1e-300
LEAST, MOST = 1e-6, 1 - 1e-4
"""Between these a denoiser passes noise: it adds none, and takes none away twice."""


class DenoiserCovariance:
    """The spectrum of J, the Jacobian of D, as if it were stationary, without products with J.

    By Stein's identity the average of J along a frequency is the regression of D(x0 + sigma z) on
    sigma z. In each band of frequencies, D is regressed on x and on x0: a linear stationary
    denoiser passes both alike, others pass what belongs to images better than noise. What remains
    of D is small and the estimate has little noise; that of a Gaussian field has none.

    Told as the power of the prior that passes as much, ``sigma^2 J / (1 - J)``, which changes
    little from level to level. Earlier ones count as (sigma / earlier sigma)^2, so that one level
    with few frequencies in a band does not decide.
    """

    def __init__(self, bands: FrequencyBands, mean: float | Tensor) -> None:
        self._bands, self._mean = bands, mean
        self._log_power: Tensor | None = None
        self._sigma = math.inf

    def estimate(self, denoised: Tensor, clean: Tensor, x: Tensor, sigma: float) -> Tensor:
        """The variances ``sigma^2 J`` of x0 given x, on spectra (b, \\*grid) in the dtype of x.

        ``denoised``: D at ``x``, which is ``clean`` and noise of level ``sigma``.
        """
        gain = self._gain(denoised, clean, x).clamp(LEAST, MOST)
        power = gain.logit() + 2 * math.log(sigma)
        if self._log_power is not None:
            power = power + (sigma / self._sigma) ** 2 * (self._log_power - power)
        self._log_power, self._sigma = power, sigma
        passed = torch.sigmoid(self._bands.spread(power) - 2 * math.log(sigma))
        return (sigma**2 * passed).to(x.real.dtype)

    def _gain(self, denoised: Tensor, clean: Tensor, x: Tensor) -> Tensor:
        """The coefficient of x, (b, n), that of x0 being drawn to 0 where numbers are few."""
        d, c, s = (self._bands.spectrum(image - self._mean) for image in (denoised, clean, x))

        def inner(a: Tensor, b: Tensor) -> Tensor:
            return self._bands.sum((a.conj() * b).real)

        xx, xc = inner(s, s), inner(s, c)
        slope = xc / xx.clamp_min(TINY)
        apart = inner(c, c) - slope * xc
        beyond = (inner(c, d) - slope * inner(s, d)) / (1 + FEWEST / self._bands.count)
        # Where x0 tells no more than x, it explains nothing.
        excess = torch.where(apart > TINY + 1e-9 * xx, beyond / apart.clamp_min(TINY), 0.0)
        return inner(s, d) / xx.clamp_min(TINY) - excess * slope
