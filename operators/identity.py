"""The identity: denoising."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.operators.base import Shape, SpectralOperator
from invscore.operators.svd import SVD, unchanged


class Identity(SpectralOperator):
    """``y = x`` on images of ``in_shape``, real or complex.

    >>> import torch
    >>> from invscore.operators import Identity
    >>> Identity((1, 2, 2))(torch.ones(1, 1, 2, 2)).sum().item()
    4.0
    """

    def __init__(self, in_shape: Shape, complex: bool = False) -> None:
        self.in_shape = self.out_shape = tuple(in_shape)
        self.in_complex = self.out_complex = complex

    def matvec(self, x: Tensor) -> Tensor:
        return x

    def rmatvec(self, y: Tensor) -> Tensor:
        return y

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        one = torch.ones((), dtype=dtype.to_real())
        return SVD(one, unchanged, unchanged, unchanged, unchanged, complete=True)
