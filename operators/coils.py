"""Receive coils of magnetic resonance imaging: what each sees, and what is common to their noise.

k-space of several coils is ``y_c = M F S_c x``: ``MRI(mask, (coils, h, w)) @ CoilMaps(maps)`` on a
Cartesian grid, ``from_finufft(omega, (coils, h, w)) @ CoilMaps(maps)`` on any other trajectory.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.batches import Numbers, as_tensor
from invscore.operators.base import LinearOperator
from invscore.operators.constant import Constant
from invscore.operators.memory_check import require_room

CALIBRATION = 24
"""Most lines of the centre of k-space from which sensitivity maps are estimated."""

FEWEST = 8
"""Least number of such lines: fewer do not fill the kernels of ESPIRiT."""

KERNEL = (3, 6)
"""Bounds of the width of ESPIRiT's kernels, a third of the centre between them. Six in a centre of
12 lines leave too few places for the kernels' space: maps are off by 2.8 %, with four by 1.0 %
(eight coils about a head, noise 2 % of its peak); in one of 8 lines by 7.1 and 2.5 %."""


class CoilMaps(LinearOperator):
    """``S_c x`` of each coil c: complex images (1, h, w) to (coils, h, w).

    ``maps`` are the complex sensitivities, (coils, h, w), or (coils, d, h, w) of volumes
    (1, d, h, w); with ``depth`` d, (coils, h, w) are those of each slice or frame. ``real=True``
    says that images are real. Raises ``ValueError`` for maps that are not complex, not finite, or
    of another shape.

    >>> import torch
    >>> from invscore.operators import CoilMaps
    >>> maps = torch.ones(4, 8, 8, dtype=torch.complex64) / 2
    >>> coils = CoilMaps(maps)
    >>> coils.in_shape, coils.out_shape
    ((1, 8, 8), (4, 8, 8))
    >>> round(coils.norm(), 3)
    1.0
    """

    in_complex = out_complex = True

    def __init__(self, maps: Numbers, real: bool = False, depth: int | None = None) -> None:
        maps = as_tensor("maps", maps)
        if maps.ndim not in (3, 4) or not maps.is_complex() or not bool(maps.isfinite().all()):
            raise ValueError(
                "`maps` must be finite complex sensitivities of shape (coils, h, w), got "
                f"{maps.dtype} of shape {tuple(maps.shape)}"
            )
        if depth is not None:
            maps = maps[:, None] if maps.ndim == 3 else maps
            require_room(2 * len(maps) * depth * maps[0, 0].numel(), f"maps of `depth` {depth}")
            maps = maps.expand(-1, depth, -1, -1)
        self.in_complex = not real
        self.out_shape = tuple(maps.shape)
        self.in_shape = (1, *self.out_shape[1:])
        self._maps = Constant(maps)

    def matvec(self, x: Tensor) -> Tensor:
        return self._maps.like(x) * x

    def rmatvec(self, y: Tensor) -> Tensor:
        x = (self._maps.like(y).conj() * y).sum(dim=1, keepdim=True)
        return x if self.in_complex else x.real

    def norm(self) -> float:
        return float(self._maps.double.abs().square().sum(dim=0).max().sqrt())


def estimate_maps(kspace: Tensor, mask: Tensor, calibration: int = CALIBRATION) -> Tensor:
    """Sensitivities, (coils, h, w), from the fully sampled centre of ``kspace``, (coils, h, w).

    By ESPIRiT (Uecker et al. 2014) of SigPy. ``mask``, (h, w), says what is measured;
    ``calibration`` is how wide the square of the centre is at most. K-space of three dimensions,
    (coils, d, h, w) with a mask (d, h, w), is made slices along the axis that is read as a whole.
    Squares of maps sum to one, in the background too: maps of zero would say that nothing is
    measured there. Raises ``ValueError`` where less than 8 x 8 entries of the
    centre are fully sampled, and ``ImportError`` without SigPy.
    """
    if mask.ndim == 3:
        return _maps_of_volume(kspace, mask, calibration)
    width = min(calibration, _centre(mask))
    if width < FEWEST:
        raise ValueError(
            f"`mask` must measure the centre of k-space, {FEWEST} x {FEWEST} entries at least, to "
            f"estimate sensitivity maps, got {width} x {width}: give maps=FILE"
        )
    from sigpy.mri.app import EspiritCalib

    values = kspace.detach().cpu().to(torch.complex64).numpy()
    kernel = min(max(width // 3, KERNEL[0]), KERNEL[1])
    maps = EspiritCalib(
        values, calib_width=width, kernel_width=kernel, crop=0, show_pbar=False
    ).run()
    return torch.from_numpy(maps).to(kspace.device, kspace.dtype)


def _maps_of_volume(kspace: Tensor, mask: Tensor, calibration: int) -> Tensor:
    """Maps as of two dimensions, of each slice across the axis along which the mask changes least.

    Along it, what is measured as in the middle counts: all, or for an echo that is not read as a
    whole the part with its opposite.
    """
    steady = [_steady(mask, axis) for axis in range(3)]
    axis = max(range(3), key=lambda k: (int(steady[k].sum()), -k))
    kept = steady[axis]
    if not bool(kept.all()) and int(kept.sum()) < FEWEST:
        raise ValueError(
            "`mask` must leave one axis of three read as a whole, to estimate sensitivity maps, "
            "got one that changes along all: give maps=FILE"
        )
    along = kspace.movedim(axis + 1, 0) * kept[:, None, None, None].to(kspace.device)
    turned = torch.fft.ifft(torch.fft.ifftshift(along, dim=0), dim=0, norm="ortho")
    plane = mask.select(axis, len(kept) // 2)
    slices = torch.fft.fftshift(turned, dim=0)
    maps = torch.stack([estimate_maps(each, plane, calibration) for each in slices])
    return maps.movedim(0, axis + 1)


def _steady(mask: Tensor, axis: int) -> Tensor:
    """Where along an axis, evenly about its middle, a mask (d, h, w) is as in the middle: (n,)."""
    planes = mask.movedim(axis, 0).flatten(1)
    away = (torch.arange(len(planes), device=mask.device) - len(planes) // 2).abs()
    others = (planes != planes[len(planes) // 2]).any(dim=1)
    return away < away[others].min() if bool(others.any()) else ~others


def real_maps(maps: Tensor, kspace: Tensor, width: int = CALIBRATION) -> Tensor:
    """``maps``, (coils, h, w) or (coils, d, h, w), turned so that the image of ``kspace`` is real.

    Estimated maps have the phase of the first coil, and the image has the rest: what is smooth of
    it is seen in the centre of k-space, ``width`` wide, and is given to the maps.
    """
    axes, smooth = tuple(range(1, kspace.ndim)), kspace
    for axis in axes:
        bump = _bump(kspace.shape[axis], width).to(kspace.device)
        smooth = smooth * bump.reshape(-1, *[1] * (kspace.ndim - axis - 1))
    coils = torch.fft.ifftn(torch.fft.ifftshift(smooth, dim=axes), dim=axes)
    image = (maps.conj() * torch.fft.fftshift(coils, dim=axes)).sum(dim=0)
    return maps * torch.polar(torch.ones_like(image.real), image.angle())


def _bump(size: int, width: int) -> Tensor:
    """A raised cosine about the middle of ``size`` places, ``width`` wide."""
    place = (torch.arange(size) - size // 2) / width
    return torch.where(place.abs() < 0.5, 0.5 + 0.5 * torch.cos(2 * torch.pi * place), 0.0)


def noise_covariance(samples: Tensor) -> Tensor:
    """The covariance of coils' noise, (coils, coils), of a scan without signal, (coils, n).

    Of complex numbers: the mean of ``n n^H``, halved, so that its diagonal holds the variance of
    real and imaginary parts each.
    """
    flat = samples.flatten(1)
    return flat @ flat.mH / (2 * flat.shape[1])


def whitening(covariance: Tensor) -> Tensor:
    """``W``, (coils, coils), with ``W C W^H = 1``: the inverse of C's Cholesky factor.

    ``torch.tensordot(W, kspace, 1)`` has independent noise of level 1 in all coils, and maps
    times W are those of such coils. Raises ``ValueError`` for what is no covariance.
    """
    factor, info = torch.linalg.cholesky_ex(covariance)
    hermitian = torch.allclose(covariance, covariance.mH, atol=1e-6 * float(covariance.abs().max()))
    if int(info) != 0 or not hermitian:
        raise ValueError("`covariance` must be Hermitian and positive definite")
    identity = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
    return torch.linalg.solve_triangular(factor, identity, upper=False)


def birdcage_maps(coils: int, *shape: int) -> Tensor:
    """Smooth sensitivities of ``coils`` around an image of ``shape``, by SigPy.

    (coils, h, w), or (coils, d, h, w) of a volume; their squares sum to one.
    """
    require_room(8 * coils * math.prod(shape), f"maps of {coils} `coils`")
    from sigpy.mri import birdcage_maps as birdcage

    maps = torch.from_numpy(birdcage((coils, *shape))).to(torch.complex64)
    return maps / maps.abs().square().sum(dim=0, keepdim=True).sqrt()


def _centre(mask: Tensor) -> int:
    """The side of the largest square around the centre of (h, w) that is measured everywhere."""
    height, width = mask.shape
    side = 0
    for half in range(1, min(height, width) // 2 + 1):
        rows = slice(height // 2 - half, height // 2 + half)
        columns = slice(width // 2 - half, width // 2 + half)
        if not bool(mask[rows, columns].all()):
            break
        side = 2 * half
    return side
