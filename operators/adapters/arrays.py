"""Operators of libraries that compute with NumPy's arrays, one image at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from invscore.operators.base import LinearOperator, Shape

Function = Callable[[Any], Any]
"""Of one array, of the shape that the library has, to another."""


class ArrayOperator(LinearOperator):
    """A function of arrays and its adjoint.

    ``in_array`` and ``out_array`` are the library's shapes of one image and of its measurement,
    ``in_shape`` and ``out_shape`` ours, of as many numbers. ``precision`` is the real type in which
    the library wants its numbers, None for that of the images. Results come back on the device and
    in the precision of the batch.
    """

    def __init__(
        self,
        forward: Function,
        adjoint: Function,
        *,
        in_array: Shape,
        out_array: Shape,
        in_shape: Shape | None = None,
        out_shape: Shape | None = None,
        in_complex: bool = False,
        out_complex: bool = False,
        precision: torch.dtype | None = None,
    ) -> None:
        self._forward, self._adjoint = forward, adjoint
        self._in, self._out = _whole(in_array), _whole(out_array)
        self.in_shape = _fitting("in_shape", in_shape, self._in)
        self.out_shape = _fitting("out_shape", out_shape, self._out)
        self.in_complex, self.out_complex, self.precision = in_complex, out_complex, precision

    def matvec(self, x: Tensor) -> Tensor:
        return self._each(self._forward, x, self._in, self.out_shape, self.out_complex)

    def rmatvec(self, y: Tensor) -> Tensor:
        return self._each(self._adjoint, y, self._out, self.in_shape, self.in_complex)

    def _each(
        self, function: Function, batch: Tensor, source: Shape, target: Shape, is_complex: bool
    ) -> Tensor:
        real = self.precision or batch.real.dtype
        given = batch.detach().resolve_conj().resolve_neg().cpu()
        arrays = given.to(real.to_complex() if given.is_complex() else real).numpy()
        results = [np.asarray(function(np.ascontiguousarray(a.reshape(source)))) for a in arrays]
        stacked = np.stack(results).reshape(-1, *target)
        if not is_complex:
            stacked = stacked.real
        dtype = batch.real.dtype
        return torch.from_numpy(np.ascontiguousarray(stacked)).to(
            batch.device, dtype.to_complex() if is_complex else dtype
        )


def precision_of(dtype: Any) -> torch.dtype | None:
    """Single precision where NumPy's ``dtype`` has it, None else."""
    single = np.dtype(dtype) in (np.dtype(np.float32), np.dtype(np.complex64))
    return torch.float32 if single else None


def as_image(shape: Any) -> Shape:
    """(1, h, w) for (h, w); other shapes as they are."""
    whole = _whole(shape)
    return (1, *whole) if len(whole) == 2 else whole


def _whole(shape: Any) -> Shape:
    return tuple(int(n) for n in shape)


def _fitting(name: str, shape: Shape | None, array: Shape) -> Shape:
    shape = array if shape is None else _whole(shape)
    if torch.Size(shape).numel() != torch.Size(array).numel():
        raise ValueError(
            f"`{name}` must have as many numbers as the library's {array}, got {shape}"
        )
    return shape
