"""Compressed sensing: few numbers, each a mixture of all pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.operators.base import Shape, SpectralOperator
from invscore.operators.constant import Constant
from invscore.operators.fourier import hartley
from invscore.operators.memory_check import require_room_for_images
from invscore.operators.svd import SVD, unchanged


class CompressedSensing(SpectralOperator):
    """``y = M H S x``: random signs S, the orthonormal Hartley transform H and a random mask M.

    The signs spread every image over all frequencies, so that each number of y tells as much as
    another (Do et al. 2012, a structurally random matrix). A fraction ``ratio`` of the frequencies
    is measured; y has the shape of the image, (c, h, w), and zeros where nothing is measured.
    Signs and mask follow ``seed`` and are the same in all channels. All singular values are 0 or 1.

    Raises ``ValueError`` for an image that is not (c, h, w) or a ``ratio`` out of (0, 1].

        >>> from invscore.operators import CompressedSensing
        >>> CompressedSensing((1, 8, 8), 0.5, seed=0).out_shape
        (1, 8, 8)
    """

    view = "stretched"
    measured: Tensor

    def __init__(self, in_shape: Shape, ratio: float = 0.5, seed: int = 0) -> None:
        if len(in_shape) != 3:
            raise ValueError(
                f"`in_shape` must be that of an image, (c, h, w), got {tuple(in_shape)}"
            )
        if not 0 < ratio <= 1:
            raise ValueError(f"`ratio` must lie in (0, 1], got {ratio}")
        require_room_for_images(tuple(in_shape[1:]), 3)
        self.in_shape = self.out_shape = tuple(in_shape)
        grid = self.in_shape[1:]
        pixels, generator = grid[0] * grid[1], torch.Generator().manual_seed(seed)
        order = torch.randperm(pixels, generator=generator)
        mask = (order < max(1, round(ratio * pixels))).reshape(grid)
        self.measured = mask.expand(self.in_shape)
        self._mask = Constant(mask)
        self._signs = Constant(2 * torch.randint(2, grid, generator=generator) - 1)

    def matvec(self, x: Tensor) -> Tensor:
        return self._mask.like(x) * self._analysis(x)

    def rmatvec(self, y: Tensor) -> Tensor:
        return self._synthesis(self._mask.like(y) * y)

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        return SVD(
            s=self._mask.at(dtype),
            u=unchanged,
            uh=unchanged,
            v=self._synthesis,
            vh=self._analysis,
            complete=True,
        )

    def _analysis(self, x: Tensor) -> Tensor:
        return hartley(self._signs.like(x) * x)

    def _synthesis(self, c: Tensor) -> Tensor:
        return self._signs.like(c) * hartley(c)
