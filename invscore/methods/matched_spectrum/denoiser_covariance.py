"""Covariance of the denoiser by frequency, estimated while sampling."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.methods.gaussian_field.frequency_bands import FrequencyBands

FEWEST = 2.0
"""Size of a band, in numbers, at which the regression on x0 counts as much as the assumption that
the denoiser is linear."""
TINY = 1e-30
APART = 1e-6
"""Least 1 - correlation^2 of x and x0 in a band for the regression to tell them apart."""
LEAST, MOST = 1e-6, 1 - 1e-4
"""Bounds of the share of noise that a denoiser passes in a band."""


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

    def __init__(self, bands: FrequencyBands) -> None:
        self._bands = bands
        self._log_power: Tensor | None = None
        self._sigma = math.inf

    def estimate(
        self, denoised: Tensor, clean: Tensor, x: Tensor, sigma: float, mean: float | Tensor = 0.0
    ) -> Tensor:
        """The variances ``sigma^2 J`` of x0 given x, on spectra (b, \\*shape) in the dtype of x.

        Of spectra: ``denoised``, D at ``x``, which is ``clean`` and noise of level ``sigma``. Those
        about the prior's ``mean`` are regressed.
        """
        gain = self._gain(denoised, clean, x, mean).clamp(LEAST, MOST)
        power = gain.logit() + 2 * math.log(sigma)
        if self._log_power is not None:
            power = power + (sigma / self._sigma) ** 2 * (self._log_power - power)
        self._log_power, self._sigma = power, sigma
        return sigma**2 * torch.sigmoid(self._bands.spread(power) - 2 * math.log(sigma))

    def _gain(self, denoised: Tensor, clean: Tensor, x: Tensor, mean: float | Tensor) -> Tensor:
        """The coefficient of x, (b, n), that of x0 being drawn to 0 where numbers are few.

        By the regression of D - x0 on the noise and on x0, in which nothing large cancels.
        """
        c, n, r = self._bands.about(mean, clean), x - clean, denoised - clean
        pairs = [(c, c), (c, n), (n, n), (r, c), (r, n)]
        products = ((a.conj() * b).real for a, b in pairs)
        cc, cn, nn, rc, rn = self._bands.sums(products).chunk(len(pairs))
        apart = cc * nn - cn**2
        told = apart > APART * cc * nn
        apart = torch.where(told, apart, 1.0)
        of_noise = (rn * cc - rc * cn) / apart
        of_clean = (rc * nn - rn * cn) / apart
        # Where x0 tells no more than x, it explains nothing.
        beyond = torch.where(told, 1 + of_clean - of_noise, 0.0) / (1 + FEWEST / self._bands.count)
        return (rn + rc + (1 - beyond) * (cc + cn)) / (cc + 2 * cn + nn).clamp_min(TINY)
