"""Operators given by a matrix."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from invscore.batches import Numbers, as_tensor
from invscore.operators.base import Shape, SpectralOperator
from invscore.operators.constant import Constant
from invscore.operators.svd import SVD


class MatrixOperator(SpectralOperator):
    """``y = A x`` for a dense matrix (m, n) that acts on flattened images.

    A complex matrix maps complex images. The decomposition is made once, when first asked.
    """

    def __init__(self, matrix: Tensor, in_shape: Shape, out_shape: Shape) -> None:
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        self.in_complex = self.out_complex = matrix.is_complex()
        self.matrix = Constant(matrix)

    def matvec(self, x: Tensor) -> Tensor:
        return self._apply(self.matrix.like(x), x, self.out_shape)

    def rmatvec(self, y: Tensor) -> Tensor:
        return self._apply(self.matrix.like(y).mH, y, self.in_shape)

    @cached_property
    def _factors(self) -> tuple[Constant, Constant, Constant]:
        u, s, vh = torch.linalg.svd(self.matrix.double, full_matrices=False)
        beside = self.matrix.beside
        return beside(u), beside(s), beside(vh)

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        u, s, vh = self._factors
        rank = s.double.shape
        return SVD(
            s=s.at(dtype),
            u=lambda c: self._apply(u.like(c), c, self.out_shape),
            uh=lambda y: self._apply(u.like(y).mH, y, rank),
            v=lambda c: self._apply(vh.like(c).mH, c, self.in_shape),
            vh=lambda x: self._apply(vh.like(x), x, rank),
            complete=vh.double.shape[0] == vh.double.shape[1],
        )

    @staticmethod
    def _apply(matrix: Tensor, x: Tensor, shape: Shape) -> Tensor:
        return (x.flatten(1) @ matrix.mT).reshape(-1, *shape)


def from_matrix(
    matrix: Numbers, in_shape: Shape | None = None, out_shape: Shape | None = None
) -> SpectralOperator:
    """The operator of a dense real or complex ``matrix``, (m, n).

    It acts on images of ``in_shape``, by default (n,), in row-major order, and gives measurements
    of ``out_shape``, by default (m,). Raises ``ValueError`` when the shapes do not fit, or for a
    matrix that is not finite.

        >>> import torch
        >>> from invscore.operators import from_matrix
        >>> from_matrix(torch.tensor([[1.0, 1.0]]))(torch.tensor([[2.0, 3.0]]))
        tensor([[5.]])
    """
    matrix = as_tensor("matrix", matrix)
    if matrix.ndim != 2 or not bool(matrix.isfinite().all()):
        raise ValueError(
            "the `matrix` must be a finite one of shape (m, n), got the shape "
            f"{tuple(matrix.shape)}"
        )
    rows, columns = matrix.shape
    in_shape, out_shape = in_shape or (columns,), out_shape or (rows,)
    for name, shape, size in (("in_shape", in_shape, columns), ("out_shape", out_shape, rows)):
        if torch.Size(shape).numel() != size:
            raise ValueError(
                f"`{name}` must have {size} elements for a matrix of shape ({rows}, "
                f"{columns}), got {tuple(shape)}"
            )
    return MatrixOperator(matrix, in_shape, out_shape)
