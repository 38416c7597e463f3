"""Linear operators of SCICO (Balke et al. 2022), whose arrays are JAX's, by DLPack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from invscore.operators.adapters.arrays import as_image, precision_of
from invscore.operators.base import LinearOperator, Shape


class ScicoOperator(LinearOperator):
    """A ``scico.linop.LinearOperator``, one image after the other, where its arrays are."""

    def __init__(self, linop: Any) -> None:
        self._linop, self._in, self._out = linop, linop.input_shape, linop.output_shape
        self.in_shape, self.out_shape = as_image(self._in), as_image(self._out)
        self.in_complex = np.dtype(linop.input_dtype).kind == "c"
        self.out_complex = np.dtype(linop.output_dtype).kind == "c"
        self.precision = precision_of(linop.input_dtype)

    def matvec(self, x: Tensor) -> Tensor:
        return self._each(self._linop, x, self._in, self.out_shape)

    def rmatvec(self, y: Tensor) -> Tensor:
        return self._each(self._linop.adj, y, self._out, self.in_shape)

    def _each(
        self, function: Callable[[Any], Any], batch: Tensor, array: Shape, target: Shape
    ) -> Tensor:
        import jax.dlpack

        real = self.precision or torch.float64
        kind = real.to_complex() if batch.is_complex() else real
        given = batch.detach().resolve_conj().resolve_neg().to(kind)
        images = [jax.dlpack.from_dlpack(image.reshape(array).contiguous()) for image in given]
        results = [torch.utils.dlpack.from_dlpack(function(image)) for image in images]
        stacked = torch.stack(results).reshape(len(batch), *target).to(batch.device)
        dtype = batch.real.dtype
        return stacked.to(dtype.to_complex() if stacked.is_complex() else dtype)


def from_scico(linop: Any) -> LinearOperator:
    """A ``scico.linop.LinearOperator`` on images of its ``input_shape``, (1, h, w) where (h, w).

    Arrays go there and back by DLPack, without a copy where both libraries are on one device.
    Raises ``ValueError`` for what is no such operator, and for arrays in blocks.

    >>> import scico.linop
    >>> from invscore.operators import from_scico
    >>> operator = from_scico(scico.linop.FiniteDifference((8, 6), axes=0, append=0))
    >>> operator.in_shape, operator.out_shape
    ((1, 8, 6), (1, 8, 6))
    """
    for name in ("input_shape", "output_shape", "adj"):
        if not hasattr(linop, name):
            raise ValueError(
                f"`linop` must be a scico.linop.LinearOperator, got {type(linop).__name__}"
            )
    for shape in (linop.input_shape, linop.output_shape):
        if not all(isinstance(size, int) for size in shape):
            raise ValueError(f"`linop` must map single arrays, got one of blocks {shape}")
    return ScicoOperator(linop)
