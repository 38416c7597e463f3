"""Volumes: an operator on images, for each slice by itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.operators.base import LinearOperator, Shape
from invscore.operators.memory_check import require_room
from invscore.operators.svd import SVD


class Slicewise(LinearOperator):
    """``operator``, on images (c, h, w), for each slice of volumes (c, d, h, w).

    Measurements (c, h, w) become (c, d, h, w), those of any other shape (d, \\*shape). All slices
    are one batch of the operator, so that its closed forms hold. Raises ``ValueError`` for an
    operator that is not linear or not on images, and for a ``depth`` below 1.

        >>> from invscore.operators import Blur, Slicewise
        >>> Slicewise(Blur.gaussian(1.0, (1, 16, 16)), depth=5).in_shape
        (1, 5, 16, 16)
    """

    def __init__(self, operator: LinearOperator, depth: int) -> None:
        if not isinstance(operator, LinearOperator) or len(operator.in_shape) != 3:
            raise ValueError(
                "`operator` must be a linear one on images (c, h, w), got a "
                f"{type(operator).__name__} on {tuple(operator.in_shape)}"
            )
        if depth < 1:
            raise ValueError(f"`depth` must be at least 1, got {depth}")
        require_room(math.prod(_deep(operator.in_shape, depth)), f"volumes of `depth` {depth}")
        self.operator, self.depth = operator, depth
        self.in_shape = _deep(operator.in_shape, depth)
        self.out_shape = _deep(operator.out_shape, depth)
        self.in_complex, self.out_complex = operator.in_complex, operator.out_complex
        self.view, self.window = operator.view, operator.window
        self.precision = operator.precision
        if operator.measured is not None:
            places = operator.measured.expand(operator.out_shape)
            self.measured = _volumes(places.expand(depth, *places.shape), depth)[0]

    def matvec(self, x: Tensor) -> Tensor:
        return self._stacked(self.operator.matvec(self._slices(x, self.operator.in_shape)))

    def rmatvec(self, y: Tensor) -> Tensor:
        return self._stacked(self.operator.rmatvec(self._slices(y, self.operator.out_shape)))

    def normal(self, x: Tensor) -> Tensor:
        return self._stacked(self.operator.normal(self._slices(x, self.operator.in_shape)))

    def solve(self, b: Tensor, rho: PerImage) -> Tensor:
        slices = self._slices(b, self.operator.in_shape)
        return self._stacked(self.operator.solve(slices, self._repeated(rho)))

    def ridge(self, y: Tensor, rho: PerImage) -> Tensor:
        slices = self._slices(y, self.operator.out_shape)
        return self._stacked(self.operator.ridge(slices, self._repeated(rho)))

    def pinv(self, y: Tensor) -> Tensor:
        return self._stacked(self.operator.pinv(self._slices(y, self.operator.out_shape)))

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        f = self.operator.svd(dtype)
        image, measured = self.operator.in_shape, self.operator.out_shape
        probe = torch.zeros(1, *image, dtype=dtype if self.in_complex else dtype.to_real())
        basis = tuple(f.vh(probe.to(f.s.device)).shape[1:])
        return SVD(
            s=f.s[:, None] if f.s.ndim == len(basis) == 3 else f.s,
            u=lambda c: self._stacked(f.u(self._slices(c, basis))),
            uh=lambda y: self._stacked(f.uh(self._slices(y, measured))),
            v=lambda c: self._stacked(f.v(self._slices(c, basis))),
            vh=lambda x: self._stacked(f.vh(self._slices(x, image))),
            complete=f.complete,
        )

    def norm(self) -> float:
        return self.operator.norm()

    def _slices(self, x: Tensor, shape: Shape) -> Tensor:
        """(b, \\*volume) as a batch of slices of ``shape``, (b d, \\*shape)."""
        return (x.movedim(2, 1) if len(shape) == 3 else x).flatten(0, 1)

    def _stacked(self, slices: Tensor) -> Tensor:
        return _volumes(slices, self.depth)

    def _repeated(self, rho: PerImage) -> PerImage:
        values = torch.as_tensor(rho)
        return values.repeat_interleave(self.depth) if values.ndim else rho


def _deep(shape: Shape, depth: int) -> Shape:
    return (shape[0], depth, *shape[1:]) if len(shape) == 3 else (depth, *shape)


def _volumes(slices: Tensor, depth: int) -> Tensor:
    """A batch of slices, (b d, \\*shape), as volumes: (b, c, d, h, w), or (b, d, \\*shape)."""
    volumes = slices.reshape(-1, depth, *slices.shape[1:])
    return volumes.movedim(1, 2) if slices.ndim == 4 else volumes
