"""Images by frequency: an orthonormal basis of waves, and frequency bands of one size each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from invscore.operators.fourier import hartley

WIDTH = 0.5
"""Octaves from one band to the next."""
PROBES = 2
LARGE = 2**22
"""Number of values of an image beyond which probes are made one after the other, which bounds the
memory."""
FEW = 2**12
"""Number of values of an image up to which a processor too spends more time on asking for an
operation than on making it."""


class FrequencyBands:
    """The frequencies of images (\\*channels, h, w), or of lines (n,), by size in half octaves.

    Spectra have the shape of images, (b, \\*shape): the coefficients in an orthonormal basis of
    waves, Hartley's for real images and Fourier's for complex ones, in the order of
    ``torch.fft.fftn``. White noise is white in it, and a field whose law does not depend on the
    place has independent coefficients.

    The band of a frequency is that of its distance from 0 along the last two axes. Frequencies
    along the channels are told apart in two: 0, what channels have in common, has bands of its own.

    ``numbers`` (n,): the coefficients that a band of n holds, ``count`` the real numbers that they
    are. ``radius``: the size of each frequency in cycles a pixel, for those of the first quarter,
    (h // 2 + 1, w // 2 + 1): the others are their mirror images, and nothing as large as an image
    is held.
    """

    def __init__(self, like: Tensor) -> None:
        self._axes = tuple(range(1, like.ndim))
        self.shape = like.shape[1:]
        self._dtype, self._complex = like.dtype, like.is_complex()
        sides = (1, *self.shape)[-2:]
        along, across = (torch.arange(n // 2 + 1, dtype=torch.float64) / n for n in sides)
        mirrored = [torch.minimum(torch.arange(n), n - torch.arange(n)) for n in sides]
        alike = torch.outer(*(torch.bincount(m).double() for m in mirrored))
        radius = torch.hypot(along[:, None], across)
        lowest = 1 / max(sides)
        octaves = (radius.clamp_min(lowest) / lowest).log2() / WIDTH

        _, band = octaves.round().unique(return_inverse=True)
        bands = int(band.max()) + 1
        number = torch.bincount(band.flatten(), alike.flatten())
        centre = torch.bincount(band.flatten(), (alike * octaves).flatten()) / number
        above = torch.searchsorted(centre, octaves).clamp(min(1, bands - 1), bands - 1)
        below = (above - 1).clamp_min(0)
        gap = (centre[above] - centre[below]).clamp_min(1e-9)
        between = ((octaves - centre[below]) / gap).clamp(0, 1)

        self._channels = self.shape[:-2].numel()
        offset = torch.full((self._channels, 1, 1), bands)
        offset[0] = 0
        device, real = like.device, like.real.dtype
        self._mirrored = [m.to(device) for m in mirrored]
        self._next = min(1, bands - 1)
        # Places in four bytes each, as there may be as many as numbers.
        self._below = (below + offset).flatten().to(device, torch.int32)
        self._between = between.to(device, real)
        self.radius = radius.to(device, real)
        # Sums over neighbours are the same in every run, scattered ones on a GPU are not.
        members, order = (band + offset).flatten().sort(stable=True)
        self._order = order.to(device, torch.int32)
        self._sizes = torch.bincount(members).tolist()
        quick = FEW if device.type == "cpu" else LARGE
        self._few_operations = self.shape.numel() <= quick
        if self._few_operations:  # bands filled up to the largest, which are more numbers
            rows = torch.nn.utils.rnn.pad_sequence(
                list(torch.split(order, self._sizes)), batch_first=True, padding_value=len(order)
            )
            self._padded = rows.flatten().to(device)
        numbers = torch.bincount(members, alike.expand(self._channels, -1, -1).flatten()[order])
        self.numbers = numbers.to(device, real)
        self.count = (2 if self._complex else 1) * self.numbers

    def probes(self) -> Iterator[Tensor]:
        """Spectra of PROBES random images, (k, \\*shape) at once, of modulus 1 at every frequency.

        By what an operator makes of them a filter is found without error.
        """
        generator = torch.Generator().manual_seed(0)
        at_once = min(PROBES, max(1, LARGE // self.shape.numel()))
        for _ in range(0, PROBES, at_once):
            white = torch.randn((at_once, *self.shape), dtype=self._dtype, generator=generator)
            yield white.sgn().to(self._order.device)

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

    def about(self, mean: float | Tensor, spectrum: Tensor) -> Tensor:
        """The ``spectrum`` of images of which ``mean``, a number or an image, is taken away."""
        if isinstance(mean, Tensor) and mean.ndim:
            return spectrum - self.spectrum(torch.zeros_like(spectrum[:1]) + mean)
        moved = spectrum.clone()
        moved.flatten(1)[:, :1] -= mean * self.shape.numel() ** 0.5
        return moved

    def sum(self, values: Tensor) -> Tensor:
        """Real ``values`` on spectra, (b, \\*shape), summed over the bands: (b, n)."""
        return self.sums([values])

    def sums(self, values: Iterable[Tensor]) -> Tensor:
        """Sums over bands of several such ``values``, one after the other: (b in all, n)."""
        if not self._few_operations:
            quarters = torch.cat([self._folded(each) for each in values]).flatten(1)
            ordered = quarters.index_select(1, self._order)
            bands = torch.split(ordered, self._sizes, 1)
            return torch.stack([part.sum(1) for part in bands], dim=1)
        quarters = self._folded(torch.cat(list(values))).flatten(1)
        with_nothing = torch.nn.functional.pad(quarters, (0, 1))
        members = with_nothing.index_select(1, self._padded)
        return members.reshape(len(members), len(self._sizes), -1).sum(dim=2)

    def of_size(self, values: Tensor) -> Tensor:
        """Values of the bands, (b, n), with those of one size added, the smallest first."""
        return values.reshape(len(values), min(self._channels, 2), -1).sum(dim=1)

    def spread(self, values: Tensor) -> Tensor:
        """Values of the bands, (b, n), on spectra: linear in the octave between their centres."""
        low, high = (
            values.index_select(1, places).reshape(len(values), -1, *self._between.shape)
            for places in (self._below, self._below + self._next)
        )
        return self.everywhere(torch.lerp(low, high, self._between))

    def power_law(self, exponent: float, variance: float) -> Tensor:
        """Of a field of power ``|f|^-exponent`` and pixel ``variance``: (1, \\*shape).

        The constant has the power of the lowest other frequency.
        """
        lowest = 1 / max((1, *self.shape)[-2:])
        power = (self.radius.clamp_min(lowest) ** -exponent)[None, None]
        # Of a volume it is the same in all slices, and those are one in memory.
        return self.everywhere(power * (variance / self.everywhere(power).mean()))

    def everywhere(self, quarter: Tensor) -> Tensor:
        """Values on spectra, (b, \\*shape), of those (b, channels, h // 2 + 1, w // 2 + 1) at the
        frequencies of the first quarter."""
        if self._few_operations:
            rows, columns = self._mirrored
            whole = quarter.index_select(-2, rows).index_select(-1, columns)
        else:
            height, width = (1, *self.shape)[-2:]
            whole = _unfolded(_unfolded(quarter, -1, width), -2, height)
        return whole.expand(-1, self._channels, -1, -1).reshape(-1, *self.shape)

    def even(self, values: Tensor) -> Tensor:
        """Values on spectra, (b, \\*shape), those of a wave and its opposite averaged.

        These are one wave of a real image, and two of a complex one: there nothing is changed.
        Two estimates from random images are better than one: conjugate gradients of what an
        operator mixes a little, as blurs with a border do, take a quarter fewer iterations.
        """
        if self._complex:
            return values
        opposed = values.flip(self._axes).roll([1] * len(self._axes), self._axes)
        return opposed.add_(values).mul_(0.5)

    def _folded(self, values: Tensor) -> Tensor:
        """Sums over mirror images, (b, channels, h // 2 + 1, w // 2 + 1)."""
        whole = values.reshape(len(values), self._channels, *(1, *self.shape)[-2:])
        return _folded(_folded(whole, -1), -2)


def _folded(values: Tensor, axis: int) -> Tensor:
    """The first half of an axis, each number with that of the opposite frequency added to it."""
    length = values.shape[axis]
    half = length // 2 + 1
    folded = values.narrow(axis, 0, half).clone()
    folded.narrow(axis, 1, length - half).add_(values.narrow(axis, half, length - half).flip(axis))
    return folded


def _unfolded(values: Tensor, axis: int, length: int) -> Tensor:
    """The whole axis of so many frequencies, those beyond the first half like their opposites."""
    opposed = values.narrow(axis, 1, length - length // 2 - 1).flip(axis)
    return torch.cat([values, opposed], dim=axis)
