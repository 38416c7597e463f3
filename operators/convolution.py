"""Convolution by Fourier transform, one class for each assumption about what lies outside.

All take a float64 kernel (kh, kw), centred at ``(kh // 2, kw // 2)`` and not larger than the
image, and act on the last two axes of ``in_shape``.
"""

from __future__ import annotations

import math
from functools import cached_property, partial

import torch
from torch import Tensor
from torch.fft import irfft2, rfft2

from invscore.batches import PerImage
from invscore.operators.base import LinearOperator, Shape, SpectralOperator, broadcast
from invscore.operators.boundary import mirrored
from invscore.operators.constant import Constant
from invscore.operators.cosines import Cosines
from invscore.operators.fourier import LARGE, fast_size, hartley
from invscore.operators.svd import SVD


class CircularConvolution(SpectralOperator):
    """The image is periodic: ``y = F^-1 (k^ F x)``.

    With V the Hartley basis, ``s = |k^|`` and U = V followed by the unit phases of ``k^``, the
    decomposition is real.
    """

    def __init__(self, kernel: Tensor, in_shape: Shape) -> None:
        self.in_shape = self.out_shape = tuple(in_shape)
        self._grid = self.in_shape[-2:]
        self.transfer = Constant(partial(transfer_function, kernel, self._grid))
        self._power = self.transfer.derived(_power)

    def matvec(self, x: Tensor) -> Tensor:
        return filtered(x, self.transfer.like(x), self._grid)

    def rmatvec(self, y: Tensor) -> Tensor:
        return filtered(y, self.transfer.like(y).conj(), self._grid)

    def normal(self, x: Tensor) -> Tensor:
        return filtered(x, self._power.like(x), self._grid)

    def solve(self, b: Tensor, rho: PerImage) -> Tensor:
        return irfft2(rfft2(b) / (self._power.like(b) + broadcast(rho, b)), s=self._grid)

    def ridge(self, y: Tensor, rho: PerImage) -> Tensor:
        gain = self.transfer.like(y).conj() / (self._power.like(y) + broadcast(rho, y))
        return irfft2(rfft2(y) * gain, s=self._grid)

    @cached_property
    def _polar(self) -> tuple[Constant, Constant]:
        """The modulus of every frequency, and the phases of the half that ``rfft2`` gives."""
        modulus = self.transfer.derived(partial(_modulus, width=self._grid[1]))
        return modulus, self.transfer.derived(_phase)

    def norm(self) -> float:
        return float(self._power.single.max()) ** 0.5

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        modulus, phase = self._polar
        return SVD(
            s=modulus.at(dtype),
            u=lambda c: irfft2(rfft2(hartley(c)) * phase.like(c), s=self._grid),
            uh=lambda y: hartley(irfft2(rfft2(y) * phase.like(y).conj(), s=self._grid)),
            v=hartley,
            vh=hartley,
            complete=True,
        )


class BorderedConvolution(LinearOperator):
    """A convolution that is no filter, for which there is no formula of its norm."""

    _norm: float | None = None

    def norm(self) -> float:
        """That of ``LinearOperator``, which takes a hundred transforms: remembered."""
        if self._norm is None:
            self._norm = super().norm()
        return self._norm


class ValidConvolution(BorderedConvolution):
    """Only pixels whose kernel lies within the image are measured."""

    def __init__(self, kernel: Tensor, in_shape: Shape) -> None:
        self.in_shape = tuple(in_shape)
        (kh, kw), (height, width) = kernel.shape, self.in_shape[-2:]
        self.out_shape = (*self.in_shape[:-2], height - kh + 1, width - kw + 1)
        self.grid = fast_size(height), fast_size(width)
        self.transfer = Constant(partial(transfer_function, kernel, self.grid))
        # A spectrum more, for an operation less, where that does not count.
        small = math.prod(self.grid) <= LARGE
        self._back = self.transfer.derived(torch.conj_physical) if small else None
        self._top, self._left = top, left = kh - 1 - kh // 2, kw - 1 - kw // 2
        tall, wide = self.out_shape[-2:]
        self._shown = slice(top, top + tall), slice(left, left + wide)
        self.window = self._shown

    def matvec(self, x: Tensor) -> Tensor:
        return filtered(x, self.transfer.like(x), self.grid)[(..., *self._shown)]

    def rmatvec(self, y: Tensor) -> Tensor:
        height, width = self.in_shape[-2:]
        return self.spread(y)[..., :height, :width]

    def spread(self, y: Tensor) -> Tensor:
        """``rmatvec`` on the whole ``grid``, zero but for rounding beyond the image."""
        tall, wide = self.grid
        right, bottom = (wide - y.shape[-1] - self._left), (tall - y.shape[-2] - self._top)
        y = torch.nn.functional.pad(y, (self._left, right, self._top, bottom))
        back = self.transfer.like(y).conj() if self._back is None else self._back.like(y)
        return filtered(y, back, self.grid)


class ReflectConvolution(BorderedConvolution):
    """The image is mirrored beyond its border: a valid convolution of the mirrored image."""

    def __init__(self, kernel: Tensor, in_shape: Shape) -> None:
        self.in_shape = self.out_shape = tuple(in_shape)
        (kh, kw), (height, width) = kernel.shape, self.in_shape[-2:]
        around = (*self.in_shape[:-2], height + kh - 1, width + kw - 1)
        self._valid = ValidConvolution(kernel, around)
        tall, wide = self._valid.grid
        small = tall * wide <= LARGE
        rows, columns = (tall, wide) if small else around[-2:]
        self._rows = mirrored(torch.arange(rows) - (kh - 1 - kh // 2), height)
        self._columns = mirrored(torch.arange(columns) - (kw - 1 - kw // 2), width)
        # Of small images the pixel that each of the whole grid is a copy of, to do all at once.
        self._pixels = (self._rows[:, None] * width + self._columns).flatten() if small else None

    def matvec(self, x: Tensor) -> Tensor:
        if self._pixels is None:
            around = x.index_select(-2, self._rows).index_select(-1, self._columns)
            return self._valid.matvec(around)
        pixels = self._pixels.expand(*x.shape[:-2], -1)
        around = x.flatten(-2).gather(-1, pixels)
        return self._valid.matvec(around.reshape(*x.shape[:-2], *self._valid.grid))

    def rmatvec(self, y: Tensor) -> Tensor:
        height, width = self.in_shape[-2:]
        if self._pixels is not None:
            around = self._valid.spread(y).flatten(-2)
            image = around.new_zeros(*around.shape[:-1], height * width)
            image = image.index_add(-1, self._pixels, around)
            return image.reshape(*y.shape[:-2], height, width)
        around = self._valid.rmatvec(y)
        folded = around.new_zeros(*around.shape[:-2], height, around.shape[-1])
        folded = folded.index_add(-2, self._rows, around)
        image = around.new_zeros(*around.shape[:-2], height, width)
        return image.index_add(-1, self._columns, folded)


class SymmetricConvolution(SpectralOperator):
    """A convolution of the mirrored image with a kernel that is its own mirror image.

    The operator is symmetric, and cosines (the type II transform) are its eigenvectors
    (Strang 1999).
    """

    def __init__(self, kernel: Tensor, in_shape: Shape) -> None:
        self.in_shape = self.out_shape = tuple(in_shape)
        height, width = self.in_shape[-2:]
        self._rows, self._columns = Cosines(height, -2), Cosines(width, -1)
        self._passed = Constant(partial(_eigenvalues, kernel, (height, width)))

    def matvec(self, x: Tensor) -> Tensor:
        return self._synthesis(self._passed.like(x) * self._analysis(x))

    def rmatvec(self, y: Tensor) -> Tensor:
        return self.matvec(y)

    def normal(self, x: Tensor) -> Tensor:
        return self._synthesis(self._passed.like(x) ** 2 * self._analysis(x))

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        return SVD(
            s=self._passed.at(dtype).abs(),
            u=lambda c: self._synthesis(self._passed.like(c).sign() * c),
            uh=lambda y: self._passed.like(y).sign() * self._analysis(y),
            v=self._synthesis,
            vh=self._analysis,
            complete=True,
        )

    def _analysis(self, x: Tensor) -> Tensor:
        return self._rows.vh(self._columns.vh(x))

    def _synthesis(self, c: Tensor) -> Tensor:
        return self._columns.v(self._rows.v(c))


def _eigenvalues(kernel: Tensor, grid: tuple[int, int]) -> Tensor:
    """Eigenvalues of a symmetric kernel for each pair of cosines."""
    down, across = (
        torch.cos(torch.pi / size * torch.outer(torch.arange(size), _offsets(length)))
        for size, length in zip(grid, kernel.shape, strict=True)
    )
    return down @ kernel @ across.T


def mirrored_power(kernel: Tensor, grid: tuple[int, ...]) -> Tensor:
    """What ``kernel`` passes of the power of cosines of a ``grid`` (h, w), far from the border.

    Float64, of the shape of the grid. A cosine along both axes is waves of two directions, and
    the mean of both is what passes: sums of even parts of the kernel with cosines, of odd ones with
    sines.
    """
    phases = [
        torch.pi / size * torch.outer(torch.arange(size), _offsets(length))
        for size, length in zip(grid, kernel.shape, strict=True)
    ]
    kernel = kernel.cpu().double()
    of_rows, of_columns = ([p.cos(), p.sin()] for p in phases)
    parts = [down @ kernel @ across.T for down in of_rows for across in of_columns]
    return torch.stack([part.square() for part in parts]).sum(dim=0)


def _offsets(length: int) -> Tensor:
    return torch.arange(length, dtype=torch.float64) - length // 2


def filtered(x: Tensor, transfer: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Images, filled up with zeros to a periodic ``grid``, of which ``transfer`` is passed."""
    spectrum = rfft2(x, s=grid)
    spectrum *= transfer
    return irfft2(spectrum, s=grid)


def transfer_function(kernel: Tensor, grid: tuple[int, ...]) -> Tensor:
    """``rfft2`` of the kernel on a periodic ``grid``, its centre moved to the origin."""
    (kh, kw), (height, width) = kernel.shape, grid
    padded = torch.nn.functional.pad(kernel, (0, width - kw, 0, height - kh))
    return rfft2(padded.roll((-(kh // 2), -(kw // 2)), dims=(0, 1)))


def _power(half: Tensor) -> Tensor:
    """The squared modulus of what ``rfft2`` gives."""
    return half.abs() ** 2


def _modulus(half: Tensor, width: int) -> Tensor:
    """The modulus of every frequency."""
    modulus = half.abs()
    rows = torch.arange(len(half), device=half.device)
    mirror = modulus[(-rows) % len(half)][:, 1 : (width + 1) // 2].flip(1)
    return torch.cat([modulus, mirror], dim=1)


def _phase(half: Tensor) -> Tensor:
    """The unit phases."""
    modulus = half.abs()
    # Where the transfer function vanishes it has no phase, and rounding errors would make one that
    # no real image has.
    return torch.where(modulus > 1e-12 * modulus.max(), half / modulus, 1.0)
