"""Images by frequency: frequency bands of about the same size, and filters that know them."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

WIDTH = 0.5
"""Octaves from band to band."""
PROBES = 2


class FrequencyBands:
    """The frequencies of images (\\*channels, h, w), or of lines (n,), by size in half octaves.

    The band of a frequency is that of its distance from 0 along the last two axes. Frequencies
    along the channels are told apart in two: 0, what channels have in common, has bands of its own.
    Spectra of real images are halves, as ``torch.fft.rfftn`` has them.

    ``count`` (n,): the real numbers that a band of n holds.
    """

    def __init__(self, like: Tensor) -> None:
        self._axes = tuple(range(1, like.ndim))
        self._shape = like.shape[1:]
        self._dtype, self._complex = like.dtype, like.is_complex()
        height, width = (1, *self._shape)[-2:]
        grid = (*self._shape[:-1], width if self._complex else width // 2 + 1)
        lines = torch.arange(grid[-1], dtype=torch.float64)
        across = torch.minimum(lines, width - lines) / width
        along = torch.fft.fftfreq(height, dtype=torch.float64)
        radius = torch.hypot(along[:, None], across)
        lowest = 1 / max(height, width)
        octaves = (radius.clamp_min(lowest) / lowest).log2() / WIDTH
        # A half spectrum leaves out the mirror image of all but its first and, of an even width,
        # its last column.
        alone = (lines == 0) | (2 * lines == width) | self._complex
        copies = torch.where(alone, 1.0, 2.0)

        _, band = octaves.round().unique(return_inverse=True)
        bands = int(band.max()) + 1
        weight = copies.double().expand_as(radius)
        number = torch.bincount(band.flatten(), weight.flatten())
        centre = torch.bincount(band.flatten(), (weight * octaves).flatten()) / number
        above = torch.searchsorted(centre, octaves).clamp(min(1, bands - 1), bands - 1)
        below = (above - 1).clamp_min(0)
        gap = (centre[above] - centre[below]).clamp_min(1e-9)
        between = ((octaves - centre[below]) / gap).clamp(0, 1)

        channel = torch.zeros(grid[:-2], dtype=torch.bool).flatten()
        channel[1:] = True
        offset = bands * channel.long().reshape(*grid[:-2], 1, 1)

        def on_grid(values: Tensor) -> Tensor:
            return (values + offset).expand(*grid[:-2], *radius.shape).reshape(grid).to(like.device)

        self._band, self._below, self._above = map(on_grid, (band, below, above))
        self._between = (between.expand(*grid[:-2], *radius.shape).reshape(grid)).to(like.device)
        self._copies = copies.expand(grid).to(like.device)
        self._radius = torch.where(channel.reshape(*grid[:-2], 1, 1), torch.inf, radius)
        self._radius = self._radius.reshape(grid).to(like.device, like.real.dtype)
        self._bands = bands * (2 if len(channel) > 1 else 1)
        parts = 2 if self._complex else 1
        self.count = parts * self.sum(torch.ones(1, *grid, device=like.device))[0]

    @cached_property
    def probes(self) -> Tensor:
        """Spectra of random images, (PROBES, \\*grid), of modulus 1 at every frequency.

        By what an operator makes of them a filter is found without error.
        """
        generator = torch.Generator().manual_seed(0)
        shape = (PROBES, *self._shape)
        white = torch.randn(shape, dtype=self._dtype, generator=generator)
        spectrum = self.spectrum(white.to(self._copies.device))
        return spectrum / spectrum.abs().clamp_min(1e-6)

    def spectrum(self, x: Tensor) -> Tensor:
        """The orthonormal Fourier transform of images, (b, \\*shape)."""
        transform = torch.fft.fftn if self._complex else torch.fft.rfftn
        return transform(x, dim=self._axes, norm="ortho")

    def image(self, spectrum: Tensor) -> Tensor:
        """The images of ``spectrum``."""
        if self._complex:
            return torch.fft.ifftn(spectrum, dim=self._axes, norm="ortho")
        return torch.fft.irfftn(spectrum, s=self._shape, dim=self._axes, norm="ortho")

    def filter(self, x: Tensor, gain: Tensor) -> Tensor:
        """Images whose frequencies are multiplied by the real ``gain``, that of ``spread``."""
        return self.image(self.spectrum(x) * gain)

    def window(self, width: float) -> Tensor:
        """The gain, on spectra, of the mean over channels in a Gaussian window.

        ``width``: its standard deviation in pixels. It sums to 1 and wraps around.
        """
        return torch.exp(-2 * (math.pi * width * self._radius) ** 2)

    def sum(self, values: Tensor) -> Tensor:
        """Real ``values`` on spectra summed over the bands of the whole spectrum: (b, n)."""
        values = (values * self._copies).flatten(1).double()
        return values.new_zeros(len(values), self._bands).index_add_(
            1, self._band.flatten(), values
        )

    def spread(self, values: Tensor) -> Tensor:
        """Values of the bands, (b, n), on spectra: linear in the octave between their centres."""
        return torch.lerp(values[:, self._below], values[:, self._above], self._between)
