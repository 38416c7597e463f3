"""Convolution with a known kernel, under three assumptions about what lies beyond the border."""

from __future__ import annotations

import abc
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from torch.fft import irfft2, rfft2

from invscore.operators import kernels
from invscore.operators.base import SVD, LinearOperator, Shape, SpectralOperator, Weight, broadcast
from invscore.operators.boundary import mirrored
from invscore.operators.constant import Constant
from invscore.operators.files import read_gray
from invscore.operators.fourier import fast_size, hartley


class Blur(LinearOperator, abc.ABC):
    """Convolution of each channel with ``kernel``, (kh, kw), centred at ``(kh // 2, kw // 2)``.

    ``boundary`` chooses the kind of blur that ``Blur(...)`` makes:

    - ``"circular"``: the image is periodic. A ``SpectralOperator``: everything in closed form.
    - ``"reflect"``: the image is mirrored at the edge of its outermost pixels, c b a a b c c b a
      (SciPy's ``reflect``).
    - ``"valid"``: nothing is assumed; y is (c, h - kh + 1, w - kw + 1), the pixels whose kernel
      lies within the image.

    ``in_shape`` is (c, h, w), or any shape that ends with (h, w). Raises ``ValueError`` for another
    boundary and for a kernel that is not two-dimensional, empty, larger than the image, not
    finite, or of sum zero.
    """

    def __new__(cls, *args: object, boundary: str = "circular") -> Blur:  # noqa: ARG004
        if cls is not Blur:
            return super().__new__(cls)
        if boundary not in _BOUNDARIES:
            raise ValueError(f"boundary is {boundary!r}: allowed are {', '.join(_BOUNDARIES)}")
        return super().__new__(_BOUNDARIES[boundary])

    def __init__(self, kernel: Tensor, in_shape: Shape, *, boundary: str = "circular") -> None:
        self.in_shape, self.boundary = tuple(in_shape), boundary
        self._prepare(_checked(kernel, self.in_shape))

    @abc.abstractmethod
    def _prepare(self, kernel: Tensor) -> None:
        """Set ``out_shape`` and whatever depends on the kernel alone."""

    @classmethod
    def gaussian(
        cls, sigma: float, in_shape: Shape, size: int | None = None, boundary: str = "circular"
    ) -> Blur:
        """A Gaussian of standard deviation ``sigma`` pixels, ``size`` pixels a side.

        By default it reaches four standard deviations to each side, or as far as the image does.
        """
        if size is None:
            smaller = min(in_shape[-2:])
            size = min(kernels.gaussian_size(sigma), smaller - 1 + smaller % 2)
        return cls(kernels.gaussian_kernel(sigma, size), in_shape, boundary=boundary)

    @classmethod
    def motion(
        cls, length: float, angle: float, in_shape: Shape, boundary: str = "circular"
    ) -> Blur:
        """A straight line of ``length`` pixels, ``angle`` degrees counter-clockwise."""
        return cls(kernels.motion_kernel(length, angle), in_shape, boundary=boundary)

    @classmethod
    def disk(cls, radius: float, in_shape: Shape, boundary: str = "circular") -> Blur:
        """A uniform disk of ``radius`` pixels: defocus."""
        return cls(kernels.disk_kernel(radius), in_shape, boundary=boundary)

    @classmethod
    def from_file(cls, path: str | Path, in_shape: Shape, boundary: str = "circular") -> Blur:
        """The kernel in an image or ``.npy`` file, normalised to sum one."""
        kernel = read_gray(path)
        return cls(_checked(kernel, in_shape) / kernel.sum(), in_shape, boundary=boundary)


class CircularBlur(Blur, SpectralOperator):
    """The image is periodic: ``y = F^-1 (k^ F x)``.

    With V the Hartley basis, ``s = |k^|`` and U = V followed by the unit phases of ``k^``, the
    decomposition is real.
    """

    def _prepare(self, kernel: Tensor) -> None:
        self.out_shape = self.in_shape
        self._grid = self.in_shape[-2:]
        transfer = transfer_function(kernel, self._grid)
        self.transfer, self._power = Constant(transfer), Constant(transfer.abs() ** 2)

    def matvec(self, x: Tensor) -> Tensor:
        return irfft2(rfft2(x) * self.transfer.like(x), s=self._grid)

    def rmatvec(self, y: Tensor) -> Tensor:
        return irfft2(rfft2(y) * self.transfer.like(y).conj(), s=self._grid)

    def normal(self, x: Tensor) -> Tensor:
        return irfft2(rfft2(x) * self._power.like(x), s=self._grid)

    def solve(self, b: Tensor, rho: Weight) -> Tensor:
        return irfft2(rfft2(b) / (self._power.like(b) + broadcast(rho, b)), s=self._grid)

    @cached_property
    def _polar(self) -> tuple[Constant, Constant]:
        """The modulus of every frequency, and the phases of the half that ``rfft2`` gives."""
        height, width = self._grid
        half = self.transfer.double
        modulus = half.abs()
        # Where the transfer function vanishes it has no phase, and rounding errors would make one
        # that no real image has.
        phase = torch.where(modulus > 1e-14 * modulus.max(), half / modulus, 1.0)
        rows = torch.arange(height, device=half.device)
        mirror = modulus[(-rows) % height][:, 1 : (width + 1) // 2].flip(1)
        return Constant(torch.cat([modulus, mirror], dim=1)), Constant(phase)

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


class ValidBlur(Blur):
    """Only pixels whose kernel lies within the image are measured."""

    def _prepare(self, kernel: Tensor) -> None:
        (kh, kw), (height, width) = kernel.shape, self.in_shape[-2:]
        self.out_shape = (*self.in_shape[:-2], height - kh + 1, width - kw + 1)
        self._grid = fast_size(height), fast_size(width)
        self.transfer = Constant(transfer_function(kernel, self._grid))
        self._top, self._left = kh - 1 - kh // 2, kw - 1 - kw // 2

    def matvec(self, x: Tensor) -> Tensor:
        full = irfft2(rfft2(x, s=self._grid) * self.transfer.like(x), s=self._grid)
        tall, wide = self.out_shape[-2:]
        return full[..., self._top : self._top + tall, self._left : self._left + wide]

    def rmatvec(self, y: Tensor) -> Tensor:
        (tall, wide), (height, width) = self._grid, self.in_shape[-2:]
        right, bottom = (wide - y.shape[-1] - self._left), (tall - y.shape[-2] - self._top)
        full = torch.nn.functional.pad(y, (self._left, right, self._top, bottom))
        spectrum = rfft2(full) * self.transfer.like(y).conj()
        return irfft2(spectrum, s=self._grid)[..., :height, :width]


class ReflectBlur(Blur):
    """The image is mirrored beyond its border: a valid blur of the mirrored image."""

    def _prepare(self, kernel: Tensor) -> None:
        (kh, kw), (height, width) = kernel.shape, self.in_shape[-2:]
        self.out_shape = self.in_shape
        self._rows = mirrored(torch.arange(height + kh - 1) - (kh - 1 - kh // 2), height)
        self._columns = mirrored(torch.arange(width + kw - 1) - (kw - 1 - kw // 2), width)
        around = (*self.in_shape[:-2], len(self._rows), len(self._columns))
        self._valid = ValidBlur(kernel, around, boundary="valid")

    def matvec(self, x: Tensor) -> Tensor:
        return self._valid.matvec(x[..., self._rows, :][..., self._columns])

    def rmatvec(self, y: Tensor) -> Tensor:
        around = self._valid.rmatvec(y)
        height, width = self.in_shape[-2:]
        folded = around.new_zeros(*around.shape[:-2], height, around.shape[-1])
        folded = folded.index_add(-2, self._rows, around)
        image = around.new_zeros(*around.shape[:-2], height, width)
        return image.index_add(-1, self._columns, folded)


_BOUNDARIES: dict[str, type[Blur]] = {
    "circular": CircularBlur,
    "reflect": ReflectBlur,
    "valid": ValidBlur,
}


def transfer_function(kernel: Tensor, grid: tuple[int, ...]) -> Tensor:
    """``rfft2`` of the kernel on a periodic ``grid``, its centre moved to the origin."""
    (kh, kw), (height, width) = kernel.shape, grid
    padded = torch.nn.functional.pad(kernel, (0, width - kw, 0, height - kh))
    return rfft2(padded.roll((-(kh // 2), -(kw // 2)), dims=(0, 1)))


def _checked(kernel: Tensor, in_shape: Shape) -> Tensor:
    """The kernel in double precision, if it is one."""
    shape, image = tuple(kernel.shape), tuple(in_shape[-2:])
    if (len(shape), len(image)) != (2, 2) or not all(map(_fits, shape, image)):
        raise ValueError(
            f"the kernel has shape {shape}: from (1, 1) to the size of the image, {image}, is "
            "allowed"
        )
    kernel = kernel.detach().double()
    if not bool(kernel.isfinite().all()):
        raise ValueError("the kernel has values that are NaN or infinite")
    if abs(float(kernel.sum())) <= 1e-12 * float(kernel.abs().sum()):
        raise ValueError("the kernel has sum zero: a blur keeps the mean of an image, times a sum")
    return kernel


def _fits(size: int, limit: int) -> bool:
    return 0 < size <= limit
