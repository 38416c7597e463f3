"""Operators that act on rows and columns independently."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from invscore.batches import Numbers, as_tensor
from invscore.operators.base import Shape, SpectralOperator
from invscore.operators.constant import Constant
from invscore.operators.svd import SVD

Factors = tuple[Constant, Constant, Constant]


class SeparableOperator(SpectralOperator):
    """``Y = L X R^T`` for each channel, with real matrices L (m, h) and R (n, w).

    The singular values are the products of those of L and of R (Van Loan 2000, the Kronecker
    product), so the decomposition of two small matrices serves; it is made once, when first asked.

    >>> import torch
    >>> from invscore.operators import SeparableOperator
    >>> rows = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    >>> sums = SeparableOperator(rows, torch.eye(3), in_shape=(1, 4, 3))
    >>> sums(torch.ones(1, 1, 4, 3))
    tensor([[[[2., 2., 2.],
              [2., 2., 2.]]]])
    """

    def __init__(self, left: Numbers, right: Numbers, in_shape: Shape) -> None:
        left, right = as_tensor("left", left), as_tensor("right", right)
        expected = (left.shape[1], right.shape[1])
        if tuple(in_shape[-2:]) != expected:
            raise ValueError(f"in_shape is {tuple(in_shape)}: the matrices act on {expected}")
        self.in_shape = tuple(in_shape)
        self.out_shape = (*self.in_shape[:-2], left.shape[0], right.shape[0])
        self.left, self.right = Constant(left), Constant(right)

    def matvec(self, x: Tensor) -> Tensor:
        return self.left.like(x) @ x @ self.right.like(x).mT

    def rmatvec(self, y: Tensor) -> Tensor:
        return self.left.like(y).mT @ y @ self.right.like(y)

    @cached_property
    def _factors(self) -> tuple[Factors, Factors]:
        return _decompose(self.left), _decompose(self.right)

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        (ul, sl, vl), (ur, sr, vr) = self._factors
        return SVD(
            s=torch.outer(sl.at(dtype), sr.at(dtype)),
            u=lambda c: ul.like(c) @ c @ ur.like(c).mT,
            uh=lambda y: ul.like(y).mT @ y @ ur.like(y),
            v=lambda c: vl.like(c) @ c @ vr.like(c).mT,
            vh=lambda x: vl.like(x).mT @ x @ vr.like(x),
            complete=vl.double.shape[0] == vl.double.shape[1]
            and vr.double.shape[0] == vr.double.shape[1],
        )


def _decompose(matrix: Constant) -> Factors:
    u, s, vh = torch.linalg.svd(matrix.double, full_matrices=False)
    return matrix.beside(u), matrix.beside(s), matrix.beside(vh.mT)
