"""Cosines of a line of pixels, and those that decimation takes for one another."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from invscore.operators.constant import Constant
from invscore.operators.placement import Movable

DENSE = 512
"""Longest line in pixels whose cosine transform is a product with a matrix, faster there than an
FFT."""
SLAB = 2**18
"""Numbers transformed together, which fit into a processor's cache."""


class Cosines(Movable):
    """The cosine transform of type II of lines of n pixels along ``axis``, -1 or -2 of a batch.

    ``vh`` takes lines to coefficients, ``v`` is its transpose: both are orthonormal. By Fourier
    transforms of the pixels in the order 0, 2, 4, ..., 5, 3, 1 (Makhoul 1980), or by the matrix
    itself where lines are short.

    With the ``gains`` of a filter at the n frequencies, float64, there are n / ``factor``
    coefficients: of the filtered line every ``factor``-th pixel is looked at, in the middle of as
    many, and cosines that are one and the same there become one (Vaidyanathan 1993, Sec. 4.1, on
    the cosines of a mirrored line). ``s`` says how much of each is then seen: with the cosines of
    short lines, ``v`` and ``s`` are the singular value decomposition of filter and decimation.
    """

    def __init__(self, size: int, axis: int, factor: int = 1, gains: Tensor | None = None) -> None:
        self.size, self.axis, self.factor = size, axis, factor
        self.count, self.dense = size // factor, size <= DENSE
        self._weights: Constant | None = None
        if gains is not None:
            self._members, self._alias, weights = _aliases(size, factor)
            weights = weights * gains
            length = _folded(weights**2, self._members).sqrt()
            weights = weights * (1 / length).nan_to_num(0.0, 0.0, 0.0)[self._alias]
            self.s, self._weights = Constant(length), Constant(weights)
            self.aliases = Aliases(self._members, self._alias, weights, axis)
        self._matrix = self._turn = None
        if self.dense:
            matrix = cosine_basis(size)
            if self._weights is not None:
                matrix = _folded(matrix.mT * self._weights.double, self._members).mT
            self._matrix = Constant(matrix)
        else:
            self._turn = Constant(_turn(size))

    def vh(self, x: Tensor) -> Tensor:
        """The coefficients of lines."""
        if self._matrix is not None:
            return product(self._matrix.like(x), x, self.axis)
        return self._in_slabs(self._analysis, x, self.count)

    def v(self, c: Tensor) -> Tensor:
        """The lines of coefficients."""
        if self._matrix is not None:
            return product(self._matrix.like(c).mT, c, self.axis)
        return self._in_slabs(self._synthesis, c, self.size)

    def _in_slabs(self, transform: Callable[[Tensor], Tensor], x: Tensor, length: int) -> Tensor:
        """``transform`` of lines along the last axis, for some after the others."""
        shape = [*x.shape]
        shape[self.axis] = length
        result = x.new_empty(shape)
        lines, made = (x.mT, result.mT) if self.axis == -2 else (x, result)
        number = lines.shape[-2]
        some = max(1, SLAB * number // max(1, lines.numel()))
        for start in range(0, number, some):
            part = slice(start, start + some)
            made[..., part, :] = transform(lines[..., part, :])
        return result

    def _analysis(self, x: Tensor) -> Tensor:
        assert self._turn is not None
        half = (self.size + 1) // 2
        ordered = torch.cat([x[..., ::2], x[..., 1::2].flip(-1)], dim=-1)
        waves = torch.fft.rfft(ordered) * self._turn.like(x)
        c = torch.cat([waves.real, waves.imag[..., 1:half].neg().flip(-1)], dim=-1)
        if self._weights is None:
            return c
        return _folded(c * self._weights.like(c), self._members)

    def _synthesis(self, c: Tensor) -> Tensor:
        assert self._turn is not None
        if self._weights is not None:
            c = c.index_select(-1, self._alias) * self._weights.like(c)
        n, half = self.size, (self.size + 1) // 2
        opposed = torch.nn.functional.pad(c[..., n - n // 2 :].flip(-1), (1, 0))
        waves = torch.complex(c[..., : n // 2 + 1], -opposed) / self._turn.like(c)
        ordered = torch.fft.irfft(waves, n=n)
        x = torch.empty_like(ordered)
        x[..., ::2], x[..., 1::2] = ordered[..., :half], ordered[..., half:].flip(-1)
        return x


class Aliases(Movable):
    """The cosines along ``axis``, -1 or -2, that are one and the same after decimation.

    One of m is the sum of n / m cosines of the line, each with a weight. The squares of these sum
    to 1, or to 0 where nothing passes the filter. Each cosine is in one sum.
    """

    def __init__(self, members: Tensor, alias: Tensor, weights: Tensor, axis: int) -> None:
        self._members, self._alias, self._axis = members, alias, axis
        self._weights, self._squares = Constant(weights), Constant(weights**2)
        self._matrix = self._square_matrix = None
        if len(weights) <= DENSE:
            number = torch.arange(members.shape[1])[:, None] == alias
            self._matrix = Constant(number * weights)
            self._square_matrix = Constant(number * weights**2)

    def summed(self, c: Tensor, squared: bool = False) -> Tensor:
        """The sums of the n coefficients of lines: with weights, or the squares of weights."""
        matrix = self._square_matrix if squared else self._matrix
        if matrix is not None:
            return product(matrix.like(c), c, self._axis)
        lines = c.movedim(self._axis, -1) * (self._squares if squared else self._weights).like(c)
        return _folded(lines, self._members).movedim(-1, self._axis)

    def parted(self, u: Tensor, squared: bool = False) -> Tensor:
        """The transpose of ``summed``: the n coefficients of lines that have the sums in them."""
        matrix = self._square_matrix if squared else self._matrix
        if matrix is not None:
            return product(matrix.like(u).mT, u, self._axis)
        weights = (self._squares if squared else self._weights).like(u)
        lines = u.movedim(self._axis, -1).index_select(-1, self._alias) * weights
        return lines.movedim(-1, self._axis)


def cosine_basis(size: int) -> Tensor:
    """The orthonormal cosine transform of type II as a float64 matrix, a frequency a row."""
    n = torch.arange(size, dtype=torch.float64)
    basis = (2 / size) ** 0.5 * torch.cos(torch.pi / size * torch.outer(n, n + 0.5))
    basis[0] /= 2**0.5
    return basis


def product(matrix: Tensor, x: Tensor, axis: int) -> Tensor:
    """The ``matrix`` times lines along ``axis``, -1 or -2."""
    return matrix @ x if axis == -2 else x @ matrix.mT


def _turn(size: int) -> Tensor:
    """Phase factors that turn a Fourier transform of reordered pixels into a cosine transform."""
    frequency = torch.arange(size // 2 + 1, dtype=torch.float64)
    length = torch.full_like(frequency, (2 / size) ** 0.5)
    length[0] = size**-0.5
    return torch.polar(length, -torch.pi / 2 / size * frequency)


def _aliases(size: int, factor: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which cosines are one where every ``factor``-th pixel is looked at, m = n / factor in all.

    The frequencies that are number r, (factor, m); the number of each frequency, (n,); and how much
    of it one of them is, (n,): ±factor^-1/2, and 2^1/2 as much where waves are a constant. Odd
    multiples of m vanish at all pixels that are looked at.
    """
    count = size // factor
    block, place = torch.arange(size) // count, torch.arange(size) % count
    odd, first = block % 2 == 1, place == 0
    number = torch.where(odd & ~first, count - place, place)
    weights = factor**-0.5 * (1 - 2 * ((block + 1) // 2 % 2)).double()
    weights[first & odd] = 0
    weights[count * 2 :: count * 2] *= 2**0.5
    members = torch.argsort(block * count + number).reshape(factor, count)
    return members, number, weights


def _folded(values: Tensor, members: Tensor) -> Tensor:
    """Sums over what is one, of the last axis."""
    together = values.index_select(-1, members.flatten())
    return together.reshape(*values.shape[:-1], *members.shape).sum(dim=-2)
