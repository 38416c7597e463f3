"""To and from SciPy's linear operators, which PyLops and many other packages speak too."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator as ScipyOperator
from torch import Tensor

from invscore.operators.base import LinearOperator, Shape


class FromScipy(LinearOperator):
    """A SciPy operator (anything with ``shape``, ``dtype``, ``matvec`` and ``rmatvec``)."""

    def __init__(self, operator: Any, in_shape: Shape, out_shape: Shape) -> None:
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        self.in_complex = self.out_complex = np.issubdtype(operator.dtype, np.complexfloating)
        self._operator = operator

    def matvec(self, x: Tensor) -> Tensor:
        return _each(self._operator.matvec, x, self.out_shape)

    def rmatvec(self, y: Tensor) -> Tensor:
        return _each(self._operator.rmatvec, y, self.in_shape)


def from_scipy(linear_operator: Any, in_shape: Shape, out_shape: Shape) -> LinearOperator:
    """A ``scipy.sparse.linalg.LinearOperator`` (or PyLops operator) on flattened images.

    A complex operator maps complex images. It runs on the CPU, one image after the other; results
    come back on the device and in the precision of the batch. Raises ``ValueError`` when the
    shapes do not fit.
    """
    sizes = torch.Size(out_shape).numel(), torch.Size(in_shape).numel()
    if tuple(linear_operator.shape) != sizes:
        raise ValueError(
            f"the operator must have shape {sizes} for in_shape {tuple(in_shape)} and "
            f"out_shape {tuple(out_shape)}, got {tuple(linear_operator.shape)}"
        )
    return FromScipy(linear_operator, in_shape, out_shape)


def to_scipy(operator: LinearOperator) -> ScipyOperator:
    """The operator on flattened images for SciPy's solvers, in double precision on the CPU.

    Between a real and a complex space an operator is linear over the reals alone, which SciPy does
    not know: complex vectors then go in and out as their real and imaginary parts, interleaved.
    """
    mixed = operator.in_complex != operator.out_complex
    columns, rows = (
        torch.Size(shape).numel() * (2 if mixed and is_complex else 1)
        for shape, is_complex in (
            (operator.in_shape, operator.in_complex),
            (operator.out_shape, operator.out_complex),
        )
    )
    wide = operator.to("cpu", torch.float64)

    def matvec(vector: Any) -> Any:
        image = _unpacked(vector, wide.in_shape, wide.in_complex, mixed)
        return _packed(wide.matvec(image), mixed)

    def rmatvec(vector: Any) -> Any:
        image = _unpacked(vector, wide.out_shape, wide.out_complex, mixed)
        return _packed(wide.rmatvec(image), mixed)

    dtype = np.complex128 if operator.in_complex and not mixed else np.float64
    return ScipyOperator((rows, columns), matvec=matvec, rmatvec=rmatvec, dtype=dtype)


def _each(function: Any, batch: Tensor, shape: Shape) -> Tensor:
    images = [function(image.ravel()) for image in batch.detach().cpu().numpy()]
    stacked = torch.from_numpy(np.stack(images).reshape(-1, *shape))
    return stacked.to(batch.device, batch.dtype)


def _unpacked(vector: Any, shape: Shape, is_complex: bool, mixed: bool) -> Tensor:
    flat = torch.from_numpy(np.ascontiguousarray(vector).ravel())
    if mixed and is_complex:
        return torch.view_as_complex(flat.double().reshape(1, *shape, 2))
    return flat.to(torch.complex128 if is_complex else torch.float64).reshape(1, *shape)


def _packed(image: Tensor, mixed: bool) -> Any:
    if mixed and image.is_complex():
        image = torch.view_as_real(image.resolve_conj())
    return image.resolve_conj().flatten().numpy()
