"""Local scale of the denoiser's error, estimated while sampling."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.methods.gaussian_field.frequency_bands import FrequencyBands

WIDTH = 2.0
"""Standard deviation of the Gaussian window, in pixels."""
EVEN = 0.05
"""Least local variance, as a share of the image's mean."""


class LocalScale:
    """Standard deviations of the error of D at each place, beside that of the whole image.

    ``clean - D`` is a draw of it, whose square is averaged in a window over neighbours and
    channels, and over the slices of a volume nearby: photographs are uncertain at edges.
    The window, of deviation ``width`` in pixels, sums to 1 and wraps around.
    """

    def __init__(self, bands: FrequencyBands, width: float = WIDTH) -> None:
        self._bands = bands
        window = torch.exp(-2 * (math.pi * width * bands.radius) ** 2)
        self._window = torch.zeros_like(window).repeat(bands.channels, 1, 1, 1)
        self._window[0] = window  # of what channels have in common

    def __call__(self, error: Tensor) -> Tensor:
        """The scales, (b, \\*shape), of mean square 1 and alike in all channels.

        ``error``: ``clean - D``, a draw of it, (b, \\*shape).
        """
        return relative(self.windowed(error.abs().square().to(error.dtype)))

    def windowed(self, variance: Tensor) -> Tensor:
        """Average in the window of values at pixels, (b, \\*shape)."""
        bands = self._bands
        window = bands.everywhere(self._window[None])
        if bands.mirrored or variance.is_complex():
            square = bands.spectrum(variance)
            square *= window
            return bands.image(square).real
        # The same by half of the frequencies, of what channels have in common.
        axes = tuple(range(1, variance.ndim))
        common = variance
        if bands.channels > 1:
            window, axes = window[:, :1], axes[1:]
            common = variance.mean(dim=1, keepdim=True)
        square = torch.fft.rfftn(common, dim=axes)
        square *= window[..., : square.shape[-1]]
        sides = [variance.shape[axis] for axis in axes]
        return torch.fft.irfftn(square, s=sides, dim=axes).expand_as(variance)


def relative(variance: Tensor) -> Tensor:
    """The deviations of ``variance``, (b, \\*shape), of mean square 1, nowhere quite 0."""
    variance = variance.clamp_min(0)
    mean = variance.mean(dim=tuple(range(1, variance.ndim)), keepdim=True)
    return ((variance + EVEN * mean) / ((1 + EVEN) * mean).clamp_min(1e-30)).sqrt()
