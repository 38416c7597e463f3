"""Images by frequency: an orthonormal basis of waves, and frequency bands of one size each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import torch
from torch import Tensor

from invscore.operators.cosines import Cosines
from invscore.operators.fourier import hartley

WIDTH = 0.5
"""Octaves from one band to the next."""
PROBES = 2
LARGE = 2**22
"""Number of values of an image beyond which probes are made one after the other, which bounds the
memory."""
SMALL = 2**18
"""Largest image, in numbers, whose bands are remembered for the next of its shape."""
FEW = 2**12
"""Number of values of an image up to which a processor too spends more time on asking for an
operation than on making it."""


class FrequencyBands:
    """The frequencies of images (c, h, w), volumes (c, d, h, w) or lines (n,), in half octaves.

    Spectra have the shape of images, (b, \\*shape): the coefficients in an orthonormal basis of
    waves, Hartley's for real images and Fourier's for complex ones, in the order of
    ``torch.fft.fftn``. White noise is white in it, and a field whose law does not depend on the
    place has independent coefficients. Of real images (c, h, w) that are taken to be ``mirrored``
    beyond their border, and not to wrap around, the basis is cosines (of type II) of their planes.

    The band of a frequency is that of its distance from 0 along the last two axes; those of a
    volume are cut once more, by the frequency across its slices. Frequencies along the channels are
    told apart in two: 0, what channels have in common, has bands of its own.

    ``numbers`` (n,): the coefficients that a band of n holds, ``count`` the real numbers that they
    are. ``radius``: the size of each frequency in cycles a pixel, for those of the first quarter,
    (d // 2 + 1, h // 2 + 1, w // 2 + 1), d = 1 for images: the others are their mirror images, and
    nothing as large as an image is held; of cosines, for all of them. ``channels``: their number.
    """

    def __init__(self, like: Tensor, mirrored: bool = False) -> None:
        self._axes = tuple(range(1, like.ndim))
        self.shape = like.shape[1:]
        self._dtype, self._complex = like.dtype, like.is_complex()
        depth = self.shape[1] if len(self.shape) == 4 else 1
        self.channels = self.shape[:-2].numel() // depth
        self._sides = (depth, *(1, *self.shape)[-2:])
        self.mirrored = mirrored
        if mirrored:
            of_sides = (Cosines(self.shape[axis], axis) for axis in (-2, -1))
            self._rows, self._columns = (cosines.to(like.device) for cosines in of_sides)
        across, along, beside = (_axis(n, mirrored) for n in self._sides)
        places = [torch.minimum(torch.arange(n), n - torch.arange(n)) for n in self._sides]
        alike = [
            torch.ones(n).double() if mirrored else torch.bincount(m).double()
            for n, m in zip(self._sides, places, strict=True)
        ]
        size = torch.hypot(along[:, None], beside)
        octaves = _Octaves(size, torch.outer(alike[1], alike[2]), max(self._sides[1:]), like)
        slices = _Octaves(across, alike[0], depth, like)

        device, real = like.device, like.real.dtype
        self._places = [m.to(device) for m in places[1:]]
        self._bands = (min(self.channels, 2), slices.bands, octaves.bands)
        self._octaves, self._slices = octaves, slices
        self._group = torch.arange(self.channels).clamp_max(1).to(device, torch.int32)
        self.radius = torch.hypot(across[:, None, None], size).to(device, real)
        group = torch.arange(self.channels).clamp_max(1)[:, None, None, None]
        band = (group * slices.bands + slices.band[:, None, None]) * octaves.bands + octaves.band
        # Few planes have a matrix that sums, where other images have an order and several sums.
        self._by_matrix = self.shape.numel() <= SMALL and depth == 1
        quick = FEW if device.type == "cpu" else LARGE
        self._few_operations = self.shape.numel() <= quick and depth == 1
        if self._by_matrix:
            one = torch.nn.functional.one_hot(octaves.band, octaves.bands).movedim(-1, 0)
            self._members = self._of_planes(one.to(device, real)).T.contiguous()
            eye = torch.eye(octaves.bands, dtype=real, device=device)
            self._shares = self._of_planes(octaves.between(eye[None, None], 3)[0, 0])
        del octaves.band, slices.band
        # Sums over neighbours are the same in every run, scattered ones on a GPU are not.
        members, order = band.flatten().sort(stable=True)
        self._order = None if self._by_matrix else order.to(device, torch.int32)
        self._sizes = torch.bincount(members).tolist()
        each = alike[0][:, None, None] * torch.outer(alike[1], alike[2])
        numbers = torch.bincount(members, each.expand(self.channels, -1, -1, -1).flatten()[order])
        self.numbers = numbers.to(device, real)
        self.count = (2 if self._complex else 1) * self.numbers

    @staticmethod
    def of(like: Tensor, mirrored: bool = False) -> FrequencyBands:
        """The bands of images as ``like``: those made before, where images are small."""
        made = _remembered if like[:1].numel() <= SMALL else _made
        return made(like.shape[1:], like.dtype, like.device, mirrored)

    def probes(self) -> Iterator[Tensor]:
        """Spectra of PROBES random images, (k, \\*shape) at once, of modulus 1 at every frequency.

        By what an operator makes of them a filter is found without error.
        """
        generator = torch.Generator().manual_seed(0)
        at_once = min(PROBES, max(1, LARGE // self.shape.numel()))
        for _ in range(0, PROBES, at_once):
            white = torch.randn((at_once, *self.shape), dtype=self._dtype, generator=generator)
            yield white.sgn().to(self.radius.device)

    def spectrum(self, x: Tensor) -> Tensor:
        """The coefficients of images, (b, \\*shape)."""
        if self.mirrored:
            return self._across_channels(self._columns.vh(self._rows.vh(x)))
        if self._complex:
            return torch.fft.fftn(x, dim=self._axes, norm="ortho")
        return hartley(x, self._axes)

    def image(self, spectrum: Tensor) -> Tensor:
        """The images of ``spectrum``."""
        if self.mirrored:
            return self._rows.v(self._columns.v(self._across_channels(spectrum)))
        if self._complex:
            return torch.fft.ifftn(spectrum, dim=self._axes, norm="ortho")
        return hartley(spectrum, self._axes)

    def about(self, mean: float | Tensor, spectrum: Tensor) -> Tensor:
        """The ``spectrum`` of images of which ``mean``, a number or an image, is taken away."""
        if isinstance(mean, Tensor) and mean.ndim:
            return spectrum - self.spectrum(torch.zeros_like(spectrum[:1]) + mean)
        moved = spectrum.clone(memory_format=torch.contiguous_format)
        moved.flatten(1)[:, :1] -= mean * self.shape.numel() ** 0.5
        return moved

    def sum(self, values: Tensor) -> Tensor:
        """Real ``values`` on spectra, (b, \\*shape), summed over the bands: (b, n)."""
        return self.sums([values])

    def sums(self, values: Iterable[Tensor]) -> Tensor:
        """Sums over bands of several such ``values``, one after the other: (b in all, n)."""
        if self._order is None:
            parts = [
                v.reshape(len(v), self.channels, -1)
                if self._few_operations
                else self._folded(v).flatten(2)
                for v in values
            ]
            of_channels = torch.cat(parts) @ self._members
            if self.channels == 1:
                return of_channels.flatten(1)
            return torch.cat([of_channels[:, 0], of_channels[:, 1:].sum(dim=1)], dim=1)
        quarters = torch.cat([self._folded(each) for each in values])
        ordered = quarters.flatten(1).index_select(1, self._order)
        bands = torch.split(ordered, self._sizes, 1)
        return torch.stack([part.sum(1) for part in bands], dim=1)

    def of_size(self, values: Tensor) -> Tensor:
        """Values of the bands, (b, n), with those of one size in the plane of the last two axes
        added, the smallest first."""
        return values.reshape(-1, *self._bands).sum(dim=(1, 2))

    def spread(self, values: Tensor) -> Tensor:
        """Values of the bands, (b, n), on spectra: linear in the octave between their centres."""
        bands = values.reshape(-1, *self._bands)
        if self._by_matrix:
            plane = bands.flatten(1, 2) @ self._shares
            if self.channels > 1:
                plane = plane.index_select(1, self._group)
            if self._few_operations:
                return plane.reshape(-1, *self.shape)
            height, width = self.radius.shape[-2:]
            return self.everywhere(plane.reshape(len(plane), self.channels, 1, height, width))
        quarter = self._slices.between(self._octaves.between(bands, 3), 2)
        if self.channels > 1:
            quarter = quarter.index_select(1, self._group)
        return self.everywhere(quarter)

    def power_law(self, exponent: float, variance: float) -> Tensor:
        """Of a field of power ``|f|^-exponent`` and pixel ``variance``: (1, \\*shape).

        The constant has the power of the lowest other frequency of a wave. A field of cosines is as
        strong at every frequency as one of waves.
        """
        lowest = 1 / max((1, *self.shape)[-2:])

        def law(radius: Tensor) -> Tensor:
            return radius.clamp_min(lowest) ** -exponent

        power = law(self.radius[:1])[None, None]
        if self.mirrored:
            rows, columns = (torch.fft.fftfreq(n, dtype=power.dtype) for n in self.shape[-2:])
            mean = law(torch.hypot(rows[:, None], columns)).mean().to(power)
        else:
            mean = self.everywhere(power).mean()
        # Of a volume it is the same in all slices, and those are one in memory.
        return self.everywhere(power * (variance / mean))

    def everywhere(self, quarter: Tensor) -> Tensor:
        """Values on spectra, (b, \\*shape), of those at the frequencies of the first quarter,
        (b, channels, d // 2 + 1, h // 2 + 1, w // 2 + 1): channels and slices may be 1 for all."""
        depth, height, width = self._sides
        if self.mirrored:
            whole = quarter
        elif self._few_operations:
            rows, columns = self._places
            whole = quarter.index_select(-2, rows).index_select(-1, columns)
        else:
            whole = _unfolded(_unfolded(quarter, -1, width), -2, height)
        if whole.shape[2] > 1:
            whole = _unfolded(whole, 2, depth)
        return whole.expand(-1, self.channels, *self._sides).reshape(-1, *self.shape)

    def even(self, values: Tensor) -> Tensor:
        """Values on spectra, (b, \\*shape), those of a wave and its opposite averaged.

        These are one wave of a real image, and two of a complex one: there nothing is changed.
        Two estimates from random images are better than one: conjugate gradients of what an
        operator mixes a little, as blurs with a border do, take a quarter fewer iterations.
        """
        if self._complex or self.mirrored:
            return values
        opposed = values.flip(self._axes).roll([1] * len(self._axes), self._axes)
        return opposed.add_(values).mul_(0.5)

    def _across_channels(self, x: Tensor) -> Tensor:
        return x if self.channels == 1 else hartley(x, (1,))

    def _of_planes(self, rows: Tensor) -> Tensor:
        """Rows of a matrix of bands, given by planes of the first quarter: of all of a plane, where
        what counts are operations."""
        if self._few_operations and not self.mirrored:
            rows = rows.index_select(-2, self._places[0]).index_select(-1, self._places[1])
        return rows.flatten(1)

    def _folded(self, values: Tensor) -> Tensor:
        """Sums over mirror images, (b, channels, d // 2 + 1, h // 2 + 1, w // 2 + 1)."""
        whole = values.reshape(len(values), self.channels, *self._sides)
        if self.mirrored:
            return whole
        folded = _folded(_folded(whole, -1), -2)
        return folded if self._sides[0] == 1 else _folded(folded, -3)


@torch.inference_mode(False)
def _made(
    shape: torch.Size, dtype: torch.dtype, device: torch.device, mirrored: bool
) -> FrequencyBands:
    # Of one number that is all of them.
    return FrequencyBands(torch.zeros((), dtype=dtype, device=device).expand(1, *shape), mirrored)


_remembered = lru_cache(maxsize=8)(_made)


def _axis(length: int, mirrored: bool) -> Tensor:
    """Frequencies along an axis, in cycles a pixel: of waves up to their opposites, of cosines."""
    if mirrored and length > 1:
        return torch.arange(length).double() / (2 * length)
    return torch.arange(length // 2 + 1).double() / length


class _Octaves:
    """Bands of frequencies, half an octave wide, and where each frequency is between two.

    ``band``: of each frequency, ``bands`` in all, until it is taken out.
    """

    def __init__(self, size: Tensor, alike: Tensor, longest: int, like: Tensor) -> None:
        """Frequencies of a ``size``, in cycles a pixel of a side no longer than ``longest``, each
        of which stands for so many that are ``alike``."""
        lowest = 1 / longest
        octaves = (size.clamp_min(lowest) / lowest).log2() / WIDTH
        self.band = torch.unique(octaves.round(), return_inverse=True)[1]
        self.bands = int(self.band.max()) + 1
        number = torch.bincount(self.band.flatten(), alike.flatten())
        centre = torch.bincount(self.band.flatten(), (alike * octaves).flatten()) / number
        last = self.bands - 1
        above = torch.searchsorted(centre, octaves).clamp(min(1, last), last)
        below = (above - 1).clamp_min(0)
        gap = (centre[above] - centre[below]).clamp_min(1e-9)
        share = ((octaves - centre[below]) / gap).clamp(0, 1)
        self._next = min(1, last)
        # Places in four bytes each, as there may be as many as numbers.
        self._below = below.flatten().to(like.device, torch.int32)
        self._share = share.to(like.device, like.real.dtype)

    def between(self, values: Tensor, axis: int) -> Tensor:
        """Values (b, groups, bands across, bands) at each frequency, linear between the bands.

        These lie along ``axis``, 2 or 3.
        """
        if self._share.numel() == 1:
            return values if axis == 2 else values[..., None]
        higher = values.narrow(axis, self._next, self.bands - self._next)
        low, high = (v.index_select(axis, self._below) for v in (values, higher))
        if axis == 2:
            return torch.lerp(low, high, self._share[:, None, None])
        shape = (*values.shape[:3], *self._share.shape)
        return torch.lerp(low.reshape(shape), high.reshape(shape), self._share)


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
