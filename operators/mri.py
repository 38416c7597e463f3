"""Cartesian magnetic resonance imaging with one coil."""

from __future__ import annotations

from functools import partial
from typing import Self

import torch
from torch import Tensor
from torch.fft import fftn, ifftn, ifftshift

from invscore.batches import Numbers, as_tensor
from invscore.operators import masks
from invscore.operators.base import Shape, SpectralOperator
from invscore.operators.constant import Constant
from invscore.operators.fourier import hartley
from invscore.operators.memory_check import require_room_for_images
from invscore.operators.svd import SVD, unchanged


class MRI(SpectralOperator):
    """``y = M F x``, F the centred orthonormal Fourier transform and M a mask in k-space.

    Images are complex, (b, c, h, w). k-space has the same shape, its zero frequency at
    ``(h // 2, w // 2)``, and zeros where nothing is measured. ``mask`` is boolean, (w,) or
    (1, w) where whole columns are measured, (h, 1) where whole rows are, which then needs
    ``in_shape`` (c, h, w), or (h, w); (c, h, w) is a mask for each image. Volumes (c, d, h, w) are
    transformed slice by slice, and a mask (d, h, w) is one for each slice, as of the frames of a
    dynamic scan. With ``dimensions=3`` the transform is of the volume: of a mask (d, h, w) axes
    that are sampled as a whole may be 1, as the readout is.

    ``real=True`` says that images are real. Frequency k then tells about -k too, and ``A^T A`` is
    diagonal in the Hartley basis with entries ``(M(k) + M(-k)) / 2``.

    Raises ``ValueError`` when the mask is not boolean, measures nothing or does not fit
    ``in_shape``, and for three dimensions of images.

        >>> import torch
        >>> from invscore.operators import MRI
        >>> operator = MRI.random((1, 16, 16), acceleration=4)
        >>> operator(torch.zeros(1, 1, 16, 16, dtype=torch.complex64)).dtype
        torch.complex64
    """

    out_complex = True
    measured: Tensor

    def __init__(
        self,
        mask: Numbers,
        in_shape: Shape | None = None,
        real: bool = False,
        dimensions: int = 2,
    ) -> None:
        mask = as_tensor("mask", mask)
        if mask.dtype != torch.bool:
            raise ValueError(f"the `mask` must be a boolean tensor, got {mask.dtype}")
        if in_shape is None:
            whole = mask.ndim == 3 and dimensions == 2
            in_shape = tuple(mask.shape) if whole else (1, *mask.shape)
        if dimensions not in (2, 3) or (dimensions == 3 and len(in_shape) != 4):
            raise ValueError(
                f"`dimensions` must be 2, or 3 of volumes (c, d, h, w), got {dimensions} of images "
                f"of shape {tuple(in_shape)}"
            )
        if dimensions == 3:
            mask = _of_volume(mask, tuple(in_shape[-3:]))
        self.dimensions, self._axes = dimensions, tuple(range(-dimensions, 0))
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
        require_room_for_images(tuple(in_shape[-dimensions:]), 6)  # two of them complex
        self.in_shape = self.out_shape = tuple(in_shape)
        self.in_complex = not real
        self.measured = mask.expand(in_shape)
        before, after = (Constant(factor) for factor in _centring(tuple(in_shape[-dimensions:])))
        self._before, self._after = before, after
        self._masked = Constant(mask * after.double)
        self._s = Constant(
            _paired(mask if mask.ndim > 2 else mask.expand(image), self._axes).sqrt()
            if real
            else mask
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
            u=lambda c: self.matvec(hartley(inverse * c, self._axes)),
            uh=lambda y: inverse * hartley(self.rmatvec(y), self._axes),
            v=partial(hartley, axes=self._axes),
            vh=partial(hartley, axes=self._axes),
            complete=True,
        )

    def _transform(self, x: Tensor, after: Constant) -> Tensor:
        centred = x * self._before.like(x)
        return fftn(centred, dim=self._axes, norm="ortho") * after.like(x)

    def _inverse(self, y: Tensor, after: Constant) -> Tensor:
        x = ifftn(y * after.like(y).conj(), dim=self._axes, norm="ortho")
        return x * self._before.like(y).conj()


def _centring(shape: Shape) -> tuple[Tensor, Tensor]:
    """What to multiply an image by before, and its spectrum by after, a transform to centre both.

    To move the origin from the middle, ``n // 2``, to the corner is to modulate the spectrum, and
    to move the zero frequency into the middle is to modulate the image: two products instead of
    two shifts, with factors 1 and -1 where the sizes are even.
    """
    before, after = torch.ones((), dtype=torch.complex128), torch.ones((), dtype=torch.complex128)
    for axis, size in enumerate(shape):
        n, middle = torch.arange(size), size // 2
        index = [1] * len(shape)
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


def _paired(mask: Tensor, axes: tuple[int, ...]) -> Tensor:
    """``(M(k) + M(-k)) / 2`` of a mask centred along ``axes``, its zero moved to the corner."""
    corner = ifftshift(mask, dim=axes).double()
    return (corner + corner.flip(axes).roll([1] * len(axes), dims=axes)) / 2


def _of_volume(mask: Tensor, volume: Shape) -> Tensor:
    """The mask of each frequency of a volume (d, h, w), of one whose axes may be 1."""
    fits = mask.ndim == 3 and all(
        n in (1, size) for n, size in zip(mask.shape, volume, strict=True)
    )
    if not fits:
        raise ValueError(
            f"the `mask` must have shape {volume} in three dimensions, or 1 along an axis that is "
            f"sampled as a whole, got {tuple(mask.shape)}"
        )
    return mask.expand(volume)
