"""Cartesian magnetic resonance imaging with one coil."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor
from torch.fft import fft2, ifft2, ifftshift

from invscore.batches import Numbers, as_tensor
from invscore.operators import masks
from invscore.operators.base import Shape, SpectralOperator
from invscore.operators.constant import Constant
from invscore.operators.fourier import hartley
from invscore.operators.svd import SVD, unchanged


class MRI(SpectralOperator):
    """``y = M F x``, F the centred orthonormal Fourier transform and M a mask in k-space.

    Images are complex, (b, c, h, w). k-space has the same shape, its zero frequency at
    ``(h // 2, w // 2)``, and zeros where nothing is measured. ``mask`` is boolean, (w,) or
    (1, w) where whole columns are measured, (h, 1) where whole rows are, which then needs
    ``in_shape`` (c, h, w), or (h, w); (c, h, w) is a mask for each image. Volumes (c, d, h, w) are
    transformed slice by slice, and a mask (d, h, w) is one for each slice, as of the frames of a
    dynamic scan.

    ``real=True`` says that images are real. Frequency k then tells about -k too, and ``A^T A`` is
    diagonal in the Hartley basis with entries ``(M(k) + M(-k)) / 2``.

    Raises ``ValueError`` when the mask is not boolean, measures nothing or does not fit
    ``in_shape``.

        >>> import torch
        >>> from invscore.operators import MRI
        >>> operator = MRI.random((1, 16, 16), acceleration=4)
        >>> operator(torch.zeros(1, 1, 16, 16, dtype=torch.complex64)).dtype
        torch.complex64
    """

    out_complex = True
    measured: Tensor

    def __init__(self, mask: Numbers, in_shape: Shape | None = None, real: bool = False) -> None:
        mask = as_tensor("mask", mask)
        if mask.dtype != torch.bool:
            raise ValueError(f"the `mask` must be a boolean tensor, got {mask.dtype}")
        if in_shape is None:
            in_shape = tuple(mask.shape) if mask.ndim == 3 else (1, *mask.shape)
        image = tuple(in_shape[-2:])
        lines = (image[1:], (1, image[1]), (image[0], 1), image, tuple(in_shape))
        slices = (tuple(in_shape[1:]),) if len(in_shape) == 4 else ()
        if len(in_shape) not in (3, 4) or tuple(mask.shape) not in (*lines, *slices):
            raise ValueError(
                "the `mask` must have shape (w,), (1, w), (h, 1) or (h, w) for an image of shape "
                f"{tuple(in_shape)}, got {tuple(mask.shape)}"
            )
        if not bool(mask.any()):
            raise ValueError("the `mask` must measure at least one entry, got none")
        self.in_shape = self.out_shape = tuple(in_shape)
        self.in_complex = not real
        self.measured = mask.expand(in_shape)
        before, after = (Constant(factor) for factor in _centring(image))
        self._before, self._after = before, after
        self._masked = Constant(mask * after.double)
        self._s = Constant(
            _paired(mask if mask.ndim > 2 else mask.expand(image)).sqrt() if real else mask
        )

    @classmethod
    def random(
        cls,
        in_shape: Shape,
        acceleration: float = 4.0,
        center_fraction: float = 0.08,
        seed: int = 0,
        real: bool = False,
    ) -> Self:
        """A fully sampled centre and uniformly random lines."""
        lines = masks.random_lines(in_shape[-1], acceleration, center_fraction, seed)
        return cls(lines, in_shape, real)

    @classmethod
    def equispaced(
        cls,
        in_shape: Shape,
        acceleration: float = 4.0,
        center_fraction: float = 0.08,
        seed: int = 0,
        real: bool = False,
    ) -> Self:
        """A fully sampled centre and evenly spaced lines."""
        lines = masks.equispaced_lines(in_shape[-1], acceleration, center_fraction, seed)
        return cls(lines, in_shape, real)

    @classmethod
    def gaussian(
        cls,
        in_shape: Shape,
        acceleration: float = 4.0,
        center_fraction: float = 0.08,
        seed: int = 0,
        real: bool = False,
    ) -> Self:
        """A fully sampled centre and random lines, denser near it."""
        lines = masks.gaussian_lines(in_shape[-1], acceleration, center_fraction, seed)
        return cls(lines, in_shape, real)

    def matvec(self, x: Tensor) -> Tensor:
        return self._transform(x, self._masked)

    def rmatvec(self, y: Tensor) -> Tensor:
        x = self._inverse(y, self._masked)
        return x if self.in_complex else x.real

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        s = self._s.at(dtype)
        if self.in_complex:
            return SVD(
                s=s,
                u=unchanged,
                uh=unchanged,
                v=lambda c: self._inverse(c, self._after),
                vh=lambda x: self._transform(x, self._after),
                complete=True,
            )
        inverse = torch.where(s > 0, 1 / s, 0.0)
        return SVD(
            s=s,
            u=lambda c: self.matvec(hartley(inverse * c)),
            uh=lambda y: inverse * hartley(self.rmatvec(y)),
            v=hartley,
            vh=hartley,
            complete=True,
        )

    def _transform(self, x: Tensor, after: Constant) -> Tensor:
        return fft2(x * self._before.like(x), norm="ortho") * after.like(x)

    def _inverse(self, y: Tensor, after: Constant) -> Tensor:
        x = ifft2(y * after.like(y).conj(), norm="ortho")
        return x * self._before.like(y).conj()


def _centring(shape: Shape) -> tuple[Tensor, Tensor]:
    """What to multiply an image by before, and its spectrum by after, a transform to centre both.

    To move the origin from the middle, ``n // 2``, to the corner is to modulate the spectrum, and
    to move the zero frequency into the middle is to modulate the image: two products instead of
    two shifts, with factors 1 and -1 where the sizes are even.
    """
    before, after = torch.ones((), dtype=torch.complex128), torch.ones((), dtype=torch.complex128)
    for axis, size in zip((-2, -1), shape, strict=True):
        n, middle = torch.arange(size), size // 2
        index = [1, 1]
        index[axis] = size
        before = before * _unit(n * middle, size).reshape(index)
        after = after * _unit((n - middle) * middle, size).reshape(index)
    return _real_if_even(before, shape), _real_if_even(after, shape)


def _unit(turns: Tensor, size: int) -> Tensor:
    """``exp(2 pi i turns / size)`` for integer ``turns``."""
    angle = 2 * torch.pi * (turns % size).double() / size
    return torch.polar(torch.ones_like(angle), angle)


def _real_if_even(factor: Tensor, shape: Shape) -> Tensor:
    return factor if any(size % 2 for size in shape) else factor.real.round()


def _paired(mask: Tensor) -> Tensor:
    """``(M(k) + M(-k)) / 2`` of a centred (h, w) mask, its zero frequency moved to the corner."""
    corner = ifftshift(mask, dim=(-2, -1)).double()
    return (corner + corner.flip(-2, -1).roll((1, 1), dims=(-2, -1))) / 2
