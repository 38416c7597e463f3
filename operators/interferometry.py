"""Radio interferometry: visibilities of the sky between pairs of antennas."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.batches import Numbers, as_tensor
from invscore.operators.adapters.nufft import FINUFFT
from invscore.operators.base import LinearOperator, Shape

ARCSECOND = math.pi / (180 * 3600)


class Interferometer(LinearOperator):
    """``V_k = sum I(l, m) exp(-2 pi i (u_k l + v_k m))``: complex visibilities of a real sky.

    ``uv``, (2, n), are the baselines in wavelengths, to the east and to the north; ``pixel`` is the
    side of a pixel in arcseconds. Images (1, h, w) are laid out as those of FITS: rows to the
    north, columns to the west, the phase centre at pixel ``(h // 2, w // 2)``; in janskys a pixel
    they have visibilities, (1, n), in janskys. The field is small: what a baseline's third
    coordinate does is left out (Thompson, Moran and Swenson 2017, Eq. 3.7 and 3.9). The sum is by
    FINUFFT: pytorch-finufft has to be installed.

    Raises ``ValueError`` for images of other axes, for baselines that are not (2, n) finite
    numbers, and a ``pixel`` that is not positive, or too large for the longest of them: half a
    fringe.

        >>> import pytorch_finufft
        >>> import torch
        >>> from invscore.operators import Interferometer
        >>> baselines = 1e4 * torch.randn(2, 50, dtype=torch.float64)
        >>> Interferometer(baselines, (1, 16, 16), pixel=1.0).out_shape
        (1, 50)
    """

    out_complex = True

    def __init__(self, uv: Numbers, in_shape: Shape, pixel: float) -> None:
        uv = as_tensor("uv", uv)
        if len(in_shape) != 3 or in_shape[0] != 1:
            raise ValueError(f"`in_shape` must be that of a sky, (1, h, w), got {tuple(in_shape)}")
        if uv.ndim != 2 or len(uv) != 2 or not uv.numel() or not bool(uv.isfinite().all()):
            raise ValueError(
                f"`uv` must be finite baselines of shape (2, n), got {tuple(uv.shape)}"
            )
        longest = float(uv.abs().max())
        if not 0 < pixel * ARCSECOND * longest <= 0.5 * (1 + 1e-6):
            raise ValueError(
                "`pixel` must be positive and at most half of the finest fringe, "
                f"{0.5 / max(longest, 1e-300) / ARCSECOND:.4g} arcseconds, got {pixel:g}"
            )
        self.uv, self.pixel = uv.double(), float(pixel)
        east, north = 2 * math.pi * ARCSECOND * self.pixel * self.uv
        self._transform = FINUFFT(torch.stack([north, -east]), tuple(in_shape))
        self._size = math.prod(in_shape) ** 0.5
        self.in_shape, self.out_shape = tuple(in_shape), (1, uv.shape[1])

    def matvec(self, x: Tensor) -> Tensor:
        return self._size * self._transform.matvec(torch.complex(x, torch.zeros_like(x)))

    def rmatvec(self, y: Tensor) -> Tensor:
        return self._size * self._transform.rmatvec(y).real

    def gridded(self, y: Tensor) -> Tensor:
        """The dirty image of visibilities y, (b, 1, n), each counting alike, in janskys a beam."""
        return self.rmatvec(y) / self.out_shape[1]
