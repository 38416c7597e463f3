"""Blur of volumes with a measured stack: the point spread function of a microscope."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.fft import irfftn, rfftn

from invscore.batches import Numbers, PerImage, as_tensor
from invscore.operators.base import LinearOperator, Shape, broadcast
from invscore.operators.constant import Constant
from invscore.operators.fourier import fast_size
from invscore.operators.memory_check import require_room_for_images

AXES = (-3, -2, -1)


class VolumeBlur(LinearOperator):
    """Convolution of each channel of a volume (c, d, h, w) with ``kernel``, (kd, kh, kw).

    The kernel is centred at its middle, ``size // 2`` along each axis. ``boundary`` is
    ``"circular"``, the periodic continuation, with ``solve`` and ``ridge`` in closed form, or
    ``"valid"``: nothing is assumed of what lies outside, and y has the voxels whose kernel lies
    within, (c, d - kd + 1, h - kh + 1, w - kw + 1). Raises ``ValueError`` for another boundary, and
    for a kernel of other axes, larger than the volume, not finite or of sum zero.

        >>> import torch
        >>> from invscore.operators import VolumeBlur
        >>> VolumeBlur(torch.ones(3, 5, 5) / 75, (1, 8, 16, 16), boundary="valid").out_shape
        (1, 6, 12, 12)
    """

    def __init__(self, kernel: Numbers, in_shape: Shape, boundary: str = "circular") -> None:
        kernel = as_tensor("kernel", kernel)
        sizes, volume = tuple(kernel.shape), tuple(in_shape[-3:])
        fits = len(sizes) == 3 and all(0 < k <= n for k, n in zip(sizes, volume, strict=True))
        if len(in_shape) != 4 or not fits:
            raise ValueError(
                "the `kernel` must have a shape from (1, 1, 1) to the size of the volume, "
                f"{volume}, got {sizes}"
            )
        kernel = kernel.detach().double()
        if not bool(kernel.isfinite().all()) or float(kernel.sum()) == 0:
            raise ValueError("the `kernel` must be finite, of a sum other than 0")
        if boundary not in ("circular", "valid"):
            raise ValueError(f"`boundary` must be circular or valid for volumes, got {boundary!r}")
        require_room_for_images(volume, 3)  # two of complex halves
        self.kernel, self.boundary, self.in_shape = kernel, boundary, tuple(in_shape)
        valid = boundary == "valid"
        self._grid = tuple(fast_size(n) for n in volume) if valid else volume
        padded = torch.zeros(self._grid, dtype=torch.float64)
        padded[tuple(slice(k) for k in sizes)] = kernel
        centred = padded.roll([-(k // 2) for k in sizes], dims=(0, 1, 2))
        transfer = rfftn(centred)
        self.transfer, self._power = Constant(transfer), Constant(transfer.abs() ** 2)
        lost = [k - 1 if valid else 0 for k in sizes]
        self.out_shape = (in_shape[0], *(n - k for n, k in zip(volume, lost, strict=True)))
        starts = [k - 1 - k // 2 if valid else 0 for k in sizes]
        deep, high, wide = (
            slice(start, start + n) for start, n in zip(starts, self.out_shape[1:], strict=True)
        )
        self._shown = (deep, high, wide)
        self.window = self._shown if valid else None

    def matvec(self, x: Tensor) -> Tensor:
        spectrum = rfftn(x, s=self._grid, dim=AXES) * self.transfer.like(x)
        return irfftn(spectrum, s=self._grid, dim=AXES)[(..., *self._shown)]

    def rmatvec(self, y: Tensor) -> Tensor:
        around = y.new_zeros(*y.shape[:2], *self._grid)
        around[(..., *self._shown)] = y
        spectrum = rfftn(around, dim=AXES) * self.transfer.like(y).conj()
        whole = irfftn(spectrum, s=self._grid, dim=AXES)
        depth, height, width = self.in_shape[1:]
        return whole[..., :depth, :height, :width]

    def solve(self, b: Tensor, rho: PerImage) -> Tensor:
        if self.boundary == "valid":
            return super().solve(b, rho)
        spectrum = rfftn(b, dim=AXES) / (self._power.like(b) + broadcast(rho, b))
        return irfftn(spectrum, s=self._grid, dim=AXES)

    def ridge(self, y: Tensor, rho: PerImage) -> Tensor:
        if self.boundary == "valid":
            return super().ridge(y, rho)
        return self.solve(self.rmatvec(y), rho)

    def norm(self) -> float:
        if self.boundary == "valid":
            return super().norm()
        return float(self.transfer.double.abs().max())
