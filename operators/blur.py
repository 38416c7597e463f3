"""Blur: convolution with a known kernel."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from invscore.batches import Numbers, PerImage, as_tensor
from invscore.operators import kernels, point_spreads
from invscore.operators.base import LinearOperator, Shape
from invscore.operators.convolution import (
    CircularConvolution,
    ReflectConvolution,
    SymmetricConvolution,
    ValidConvolution,
    mirrored_power,
)
from invscore.operators.files import read_kernel
from invscore.operators.memory_check import require_room_for_images
from invscore.operators.svd import SVD
from invscore.operators.trajectories import shake_kernel


class Blur(LinearOperator):
    """Convolution of each channel with ``kernel``, (kh, kw), centred at ``(kh // 2, kw // 2)``.

    ``boundary`` says what lies beyond the border of the image:

    - ``"circular"``: its periodic continuation. Everything has a closed form, also ``svd``.
    - ``"reflect"``: its mirror image, c b a a b c c b a (SciPy's ``reflect``). Everything has a
      closed form when the kernel is its own mirror image from left to right and from top to bottom.
    - ``"valid"``: nothing is assumed; y is (c, h - kh + 1, w - kw + 1), the pixels whose kernel
      lies within the image.

    ``kernel`` is float64, ``kernel_shape`` is (kh, kw). ``in_shape`` is (c, h, w), or any shape
    that ends with (h, w).
    Raises ``ValueError`` for another boundary and for a kernel that is not two-dimensional, empty,
    larger than the image, not finite, or of sum zero.

        >>> import torch
        >>> from invscore.operators import Blur
        >>> Blur.gaussian(sigma=1.0, in_shape=(1, 16, 16), boundary="valid").out_shape
        (1, 8, 8)
    """

    def __init__(self, kernel: Numbers, in_shape: Shape, boundary: str = "circular") -> None:
        kernel = _checked(as_tensor("kernel", kernel), in_shape)
        self.boundary = boundary
        self.kernel, self.kernel_shape = kernel, tuple(kernel.shape)
        self._convolution = _convolution(kernel, in_shape, boundary)
        self.in_shape = self._convolution.in_shape
        self.out_shape = self._convolution.out_shape
        self.window = self._convolution.window

    @classmethod
    def gaussian(
        cls, sigma: float, in_shape: Shape, size: int | None = None, boundary: str = "circular"
    ) -> Blur:
        """A Gaussian of standard deviation ``sigma`` pixels, ``size`` pixels a side.

        By default it reaches four standard deviations to each side, or as far as the image does.
        """
        longer = max(in_shape[-2:])
        if not 0 < sigma <= longer:
            raise ValueError(
                f"`sigma` must lie in (0, {longer}], pixels up to the image's longer side, got "
                f"{sigma}"
            )
        if size is None:
            smaller = min(in_shape[-2:])
            size = min(kernels.gaussian_size(sigma), smaller - 1 + smaller % 2)
        _require_to_fit((size, size), in_shape)
        return cls(kernels.gaussian_kernel(sigma, size), in_shape, boundary=boundary)

    @classmethod
    def motion(
        cls, length: float, angle: float, in_shape: Shape, boundary: str = "circular"
    ) -> Blur:
        """A straight line of ``length`` pixels, ``angle`` degrees counter-clockwise."""
        _require_to_fit(kernels.motion_shape(length), in_shape)
        return cls(kernels.motion_kernel(length, angle), in_shape, boundary=boundary)

    @classmethod
    def shake(
        cls,
        in_shape: Shape,
        size: int = 61,
        intensity: float = 0.5,
        seed: int = 0,
        model: str = "polyline",
        boundary: str = "circular",
    ) -> Blur:
        """A random path, the trace of a shaken camera: ``trajectories.shake_kernel``."""
        _require_to_fit((size, size), in_shape)
        return cls(shake_kernel(size, intensity, seed, model), in_shape, boundary=boundary)

    @classmethod
    def disk(cls, radius: float, in_shape: Shape, boundary: str = "circular") -> Blur:
        """A uniform disk of ``radius`` pixels: defocus."""
        _require_to_fit(kernels.disk_shape(radius), in_shape)
        return cls(kernels.disk_kernel(radius), in_shape, boundary=boundary)

    @classmethod
    def airy(
        cls, radius: float, in_shape: Shape, obstruction: float = 0.0, boundary: str = "circular"
    ) -> Blur:
        """Diffraction at a round aperture, see ``airy_kernel``."""
        _require_to_fit(point_spreads.airy_shape(radius), in_shape)
        return cls(point_spreads.airy_kernel(radius, obstruction), in_shape, boundary=boundary)

    @classmethod
    def moffat(
        cls, fwhm: float, in_shape: Shape, beta: float = 4.765, boundary: str = "circular"
    ) -> Blur:
        """The seeing of a telescope on the ground, see ``moffat_kernel``."""
        _require_to_fit(point_spreads.moffat_shape(fwhm, beta), in_shape)
        return cls(point_spreads.moffat_kernel(fwhm, beta), in_shape, boundary=boundary)

    @classmethod
    def from_file(cls, path: str | Path, in_shape: Shape, boundary: str = "circular") -> Blur:
        """The kernel in an image or array file, in linear light, normalised to sum one."""
        kernel = read_kernel(path, image=in_shape)
        return cls(_checked(kernel, in_shape) / kernel.sum(), in_shape, boundary=boundary)

    def matvec(self, x: Tensor) -> Tensor:
        return self._convolution.matvec(x)

    def rmatvec(self, y: Tensor) -> Tensor:
        return self._convolution.rmatvec(y)

    def normal(self, x: Tensor) -> Tensor:
        return self._convolution.normal(x)

    def solve(self, b: Tensor, rho: PerImage) -> Tensor:
        return self._convolution.solve(b, rho)

    def ridge(self, y: Tensor, rho: PerImage) -> Tensor:
        return self._convolution.ridge(y, rho)

    def pinv(self, y: Tensor) -> Tensor:
        return self._convolution.pinv(y)

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        return self._convolution.svd(dtype)

    def norm(self) -> float:
        return self._convolution.norm()

    def power(self, grid: tuple[int, int]) -> Tensor:
        """Share of the power of each cosine of images of a size (h, w) that passes: float64.

        Far from the border; of images that are mirrored, without error where ``passes_cosines``.
        """
        return mirrored_power(self.kernel, grid)

    @property
    def passes_cosines(self) -> bool:
        """Whether cosines (of type II) are its singular vectors."""
        return isinstance(self._convolution, SymmetricConvolution)


def _convolution(kernel: Tensor, in_shape: Shape, boundary: str) -> LinearOperator:
    if boundary == "circular":
        return CircularConvolution(kernel, in_shape)
    if boundary == "reflect":
        return (SymmetricConvolution if _mirrors(kernel) else ReflectConvolution)(kernel, in_shape)
    if boundary == "valid":
        return ValidConvolution(kernel, in_shape)
    raise ValueError(f"`boundary` must be one of circular, reflect, valid, got {boundary!r}")


def _mirrors(kernel: Tensor) -> bool:
    """Whether the kernel is its own mirror image about its centre, on both axes."""
    odd = all(size % 2 for size in kernel.shape)
    return odd and all(torch.allclose(kernel, kernel.flip(a), 1e-12, 0.0) for a in (0, 1))


def _checked(kernel: Tensor, in_shape: Shape) -> Tensor:
    """The kernel in double precision, if it is one."""
    _require_to_fit(tuple(kernel.shape), in_shape)
    require_room_for_images(tuple(in_shape[-2:]), 2)
    return kernels.require_kernel(kernel)


def _require_to_fit(shape: Shape, in_shape: Shape) -> None:
    """Raise ``ValueError`` for a kernel of a ``shape`` larger than the image, or of none."""
    image = tuple(in_shape[-2:])
    if (len(shape), len(image)) != (2, 2) or not all(map(_fits, shape, image)):
        raise ValueError(
            f"the `kernel` must have a shape from (1, 1) to the size of the image, {image}, "
            f"got {shape}"
        )


def _fits(size: int, limit: int) -> bool:
    return 0 < size <= limit
