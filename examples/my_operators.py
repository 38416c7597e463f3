"""Instruments of one's own, for `--op examples/my_operators.py:NAME`.

invscore check examples/my_operators.py:Interlaced --shape 1,32,32
invscore reconstruct --op examples/my_operators.py:Interlaced --prior photos-gray --image coins
"""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.operators import LinearOperator, NonlinearOperator


class Interlaced(LinearOperator):
    """A camera that reads every other row and adds each pixel's right neighbour to it."""

    def __init__(self, in_shape: tuple[int, int, int]) -> None:
        channels, height, width = in_shape
        self.in_shape = in_shape
        self.out_shape = (channels, (height + 1) // 2, width)

    def matvec(self, x: Tensor) -> Tensor:
        rows = x[:, :, ::2]
        return (rows + rows.roll(-1, dims=-1)) / 2

    def rmatvec(self, y: Tensor) -> Tensor:
        x = y.new_zeros(len(y), *self.in_shape)
        x[:, :, ::2] = (y + y.roll(1, dims=-1)) / 2
        return x


class Saturating(NonlinearOperator):
    """A sensor whose response bends: no adjoint to write, automatic differentiation finds it."""

    def __init__(self, in_shape: tuple[int, ...]) -> None:
        self.in_shape = self.out_shape = in_shape

    def __call__(self, x: Tensor) -> Tensor:
        return torch.tanh(1.5 * x)
