"""A camera without a lens: what a diffuser makes of a scene, and what of it a sensor sees."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.batches import Numbers, as_tensor
from invscore.operators.base import LinearOperator, Shape
from invscore.operators.constant import Constant
from invscore.operators.convolution import filtered
from invscore.operators.fourier import fast_size
from invscore.operators.kernels import require_kernel
from invscore.operators.memory_check import require_room_for_images


class Lensless(LinearOperator):
    """Each channel convolved with all of ``kernel``, (kh, kw); a ``sensor`` sees the middle of it.

    The scene, (c, h, w), is dark around: its light falls on (h + kh - 1, w + kw - 1) pixels, and y,
    (c, \\*sensor), are those in their middle, from ``(h + kh - 1 - rows) // 2`` on. By default the
    sensor is as large as the kernel, the picture that it has taken of a point. That is the crop of
    DiffuserCam (Antipa et al. 2018, Eq. 4); a scene that reaches beyond what is known of it is
    ``Blur(kernel, in_shape, boundary="valid")``. Raises ``ValueError`` for a kernel that is not
    two-dimensional, not finite or of sum zero, and a sensor larger than where light falls.

        >>> import torch
        >>> from invscore.operators import Lensless
        >>> Lensless(torch.rand(24, 32), (3, 16, 16)).out_shape
        (3, 24, 32)
    """

    view = "stretched"

    def __init__(
        self, kernel: Numbers, in_shape: Shape, sensor: tuple[int, int] | None = None
    ) -> None:
        if len(in_shape) != 3:
            raise ValueError(
                f"`in_shape` must be that of an image, (c, h, w), got {tuple(in_shape)}"
            )
        self.kernel = kernel = require_kernel(as_tensor("kernel", kernel))
        lit = [n + k - 1 for n, k in zip(in_shape[1:], kernel.shape, strict=True)]
        rows, columns = kernel.shape if sensor is None else sensor
        if not (0 < rows <= lit[0] and 0 < columns <= lit[1]):
            raise ValueError(
                f"`sensor` must have from 1 to {lit[0]} rows and {lit[1]} columns, where light "
                f"falls, got {rows} x {columns}"
            )
        require_room_for_images((1, *lit), 2)
        self.in_shape, self.out_shape = tuple(in_shape), (in_shape[0], rows, columns)
        self._grid = fast_size(lit[0]), fast_size(lit[1])
        self._transfer = Constant(torch.fft.rfft2(kernel, s=self._grid))
        self._top, self._left = (lit[0] - rows) // 2, (lit[1] - columns) // 2

    def matvec(self, x: Tensor) -> Tensor:
        light = filtered(x, self._transfer.like(x), self._grid)
        rows, columns = self.out_shape[1:]
        return light[..., self._top : self._top + rows, self._left : self._left + columns]

    def rmatvec(self, y: Tensor) -> Tensor:
        (tall, wide), (rows, columns) = self._grid, self.out_shape[1:]
        right, below = wide - columns - self._left, tall - rows - self._top
        light = torch.nn.functional.pad(y, (self._left, right, self._top, below))
        height, width = self.in_shape[1:]
        return filtered(light, self._transfer.like(y).conj(), self._grid)[..., :height, :width]
