"""Images by frequency: an orthonormal basis of waves, and frequency bands of one size each."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.operators.fourier import hartley

WIDTH = 0.5
"""Octaves from band to band."""
PROBES = 2


class FrequencyBands:
    """The frequencies of images (\\*channels, h, w), or of lines (n,), by size in half octaves.

    Spectra have the shape of images, (b, \\*shape): the coefficients in an orthonormal basis of
    waves, Hartley's for real images and Fourier's for complex ones, in the order of
    ``torch.fft.fftn``. White noise is white in it, and a field whose law does not depend on the
    place has independent coefficients.

    The band of a frequency is that of its distance from 0 along the last two axes. Frequencies
    along the channels are told apart in two: 0, what channels have in common, has bands of its own.

    ``count`` (n,): the real numbers that a band of n holds. ``radius``: the size of each frequency
    in cycles a pixel, (h, w).
    """

    def __init__(self, like: Tensor) -> None:
        self._axes = tuple(range(1, like.ndim))
        self.shape = like.shape[1:]
        self._dtype, self._complex = like.dtype, like.is_complex()
        height, width = (1, *self.shape)[-2:]
        along, across = (torch.fft.fftfreq(n, dtype=torch.float64) for n in (height, width))
        radius = torch.hypot(along[:, None], across)
        lowest = 1 / max(height, width)
        octaves = (radius.clamp_min(lowest) / lowest).log2() / WIDTH

        _, band = octaves.round().unique(return_inverse=True)
        bands = int(band.max()) + 1
        number = torch.bincount(band.flatten())
        centre = torch.bincount(band.flatten(), octaves.flatten()) / number
        above = torch.searchsorted(centre, octaves).clamp(min(1, bands - 1), bands - 1)
        below = (above - 1).clamp_min(0)
        gap = (centre[above] - centre[below]).clamp_min(1e-9)
        between = ((octaves - centre[below]) / gap).clamp(0, 1)

        channel = torch.zeros(self.shape[:-2], dtype=torch.bool).flatten()
        channel[1:] = True
        offset = bands * channel.long().reshape(*self.shape[:-2], 1, 1)

        def on_grid(values: Tensor) -> Tensor:
            return (values + offset).expand(*self.shape[:-2], *radius.shape).reshape(self.shape)

        bands_of_all, self._below, self._above = map(on_grid, (band, below, above))
        self._below, self._above = self._below.to(like.device), self._above.to(like.device)
        self._between = between.to(like.device, like.real.dtype)
        if like.ndim == 2:
            self._between = self._between[0]
        self.radius = radius.to(like.device, like.real.dtype)
        # Sums over neighbours are the same in every run, scattered ones on a GPU are not.
        members, self._order = bands_of_all.flatten().sort(stable=True)
        self._order = self._order.to(like.device)
        self._sizes = torch.bincount(members).tolist()
        parts = 2 if self._complex else 1
        self.count = parts * torch.tensor(self._sizes, dtype=like.real.dtype, device=like.device)

    def probes(self) -> Tensor:
        """Spectra of random images, (PROBES, \\*shape), of modulus 1 at every frequency.

        By what an operator makes of them a filter is found without error.
        """
        generator = torch.Generator().manual_seed(0)
        white = torch.randn((PROBES, *self.shape), dtype=self._dtype, generator=generator)
        return white.sgn().to(self._order.device)

    def spectrum(self, x: Tensor) -> Tensor:
        """The coefficients of images, (b, \\*shape)."""
        if self._complex:
            return torch.fft.fftn(x, dim=self._axes, norm="ortho")
        return hartley(x, self._axes)

    def image(self, spectrum: Tensor) -> Tensor:
        """The images of ``spectrum``."""
        if self._complex:
            return torch.fft.ifftn(spectrum, dim=self._axes, norm="ortho")
        return hartley(spectrum, self._axes)

    def sum(self, values: Tensor) -> Tensor:
        """Real ``values`` on spectra, (b, \\*shape), summed over the bands: (b, n)."""
        sorted_values = values.flatten(1)[:, self._order]
        return torch.stack(
            [part.sum(1) for part in torch.split(sorted_values, self._sizes, 1)], dim=1
        )

    def spread(self, values: Tensor) -> Tensor:
        """Values of the bands, (b, n), on spectra: linear in the octave between their centres."""
        return torch.lerp(values[:, self._below], values[:, self._above], self._between)
