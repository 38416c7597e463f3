"""Conversion to and from SciPy's linear operators, which PyLops and others speak too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from invscore.operators.adapters.arrays import ArrayOperator, precision_of
from invscore.operators.base import LinearOperator, Shape

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator as ScipyOperator


def from_scipy(linear_operator: Any, in_shape: Shape, out_shape: Shape) -> LinearOperator:
    """A ``scipy.sparse.linalg.LinearOperator``, sparse or dense matrix, on flattened images.

    Or what speaks as these do: PyLops (``from_pylops`` knows its shapes), ASTRA's ``OpTomo``. A
    complex operator maps complex images to complex measurements, unless it says by ``clinear`` that
    it is linear over the reals alone: then what it does to numbers tells. It runs on the CPU, one
    image after the other; results come back on the device and in the precision of the batch.
    Raises ``ValueError`` when the shapes do not fit.

    >>> import scipy.sparse
    >>> import torch
    >>> from invscore.operators import from_scipy
    >>> sums = scipy.sparse.csr_array([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    >>> operator = from_scipy(sums, in_shape=(1, 2, 2), out_shape=(2,))
    >>> operator(torch.ones(1, 1, 2, 2))
    tensor([[2., 2.]])
    """
    from scipy.sparse import issparse  # imported where used: it takes a third of a second
    from scipy.sparse.linalg import aslinearoperator

    sizes = torch.Size(out_shape).numel(), torch.Size(in_shape).numel()
    if tuple(linear_operator.shape) != sizes:
        raise ValueError(
            f"the operator must have shape {sizes} for in_shape {tuple(in_shape)} and "
            f"out_shape {tuple(out_shape)}, got {tuple(linear_operator.shape)}"
        )
    if issparse(linear_operator) or isinstance(linear_operator, np.ndarray):
        linear_operator = aslinearoperator(linear_operator)
    in_complex, out_complex = _complexity(linear_operator)
    return ArrayOperator(
        linear_operator.matvec,
        linear_operator.rmatvec,
        in_array=sizes[1:],
        out_array=sizes[:1],
        in_shape=tuple(in_shape),
        out_shape=tuple(out_shape),
        in_complex=in_complex,
        out_complex=out_complex,
        precision=precision_of(linear_operator.dtype),
    )


def _complexity(operator: Any) -> tuple[bool, bool]:
    """Whether images and whether measurements are complex."""
    both = bool(np.issubdtype(operator.dtype, np.complexfloating))
    if not both or getattr(operator, "clinear", True):
        return both, both
    rows, columns = operator.shape
    seen = np.iscomplexobj(operator.matvec(np.ones(columns, operator.dtype)))
    # What a map to complex images makes of a real measurement has an imaginary part of zeros.
    back = operator.rmatvec(np.ones(rows, operator.dtype))
    return bool(np.iscomplexobj(back)), bool(seen)


def to_scipy(operator: LinearOperator) -> ScipyOperator:
    """The operator on flattened images for SciPy's solvers, in double precision on the CPU.

    Between a real and a complex space an operator is linear over the reals alone, which SciPy does
    not know: complex vectors then go in and out as their real and imaginary parts, interleaved.

    >>> import numpy as np
    >>> from invscore.operators import Blur, to_scipy
    >>> operator = to_scipy(Blur.gaussian(sigma=1.0, in_shape=(1, 4, 4)))
    >>> operator.shape, np.allclose(operator @ np.ones(16), 1)
    ((16, 16), True)
    """
    from scipy.sparse.linalg import LinearOperator as ScipyOperator

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


def _unpacked(vector: Any, shape: Shape, is_complex: bool, mixed: bool) -> Tensor:
    flat = torch.from_numpy(np.ascontiguousarray(vector).ravel())
    if mixed and is_complex:
        return torch.view_as_complex(flat.double().reshape(1, *shape, 2))
    return flat.to(torch.complex128 if is_complex else torch.float64).reshape(1, *shape)


def _packed(image: Tensor, mixed: bool) -> Any:
    if mixed and image.is_complex():
        image = torch.view_as_real(image.resolve_conj())
    return image.resolve_conj().flatten().numpy()
