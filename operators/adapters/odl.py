"""Linear operators of ODL (Adler et al. 2017)."""

from __future__ import annotations

from typing import Any

import numpy as np

from invscore.operators.adapters.arrays import ArrayOperator, as_image, precision_of
from invscore.operators.base import LinearOperator


def from_odl(operator: Any) -> LinearOperator:
    """An ``odl.Operator`` that is linear, between spaces of arrays.

    ODL's adjoint belongs to inner products that weigh each number by the volume of its cell; here
    it is the one of plain sums, ``W_x A^* W_y^-1``. It runs on the CPU, one image after the other.
    Raises ``ValueError`` for what is no linear operator, and for weights that are no number.

    >>> import odl
    >>> from invscore.operators import from_odl
    >>> space = odl.uniform_discr([0, 0], [1, 1], (8, 8), dtype="float32")
    >>> from_odl(odl.PartialDerivative(space, axis=0)).out_shape
    (1, 8, 8)
    """
    if not getattr(operator, "is_linear", False):
        raise ValueError(f"`operator` must be a linear odl.Operator, got {type(operator).__name__}")
    domain, range_ = operator.domain, operator.range
    ratio = _weight(domain) / _weight(range_)
    adjoint = operator.adjoint
    return ArrayOperator(
        lambda x: _array(operator(domain.element(x))),
        lambda y: ratio * _array(adjoint(range_.element(y))),
        in_array=domain.shape,
        out_array=range_.shape,
        in_shape=as_image(domain.shape),
        out_shape=as_image(range_.shape),
        in_complex=_is_complex(domain),
        out_complex=_is_complex(range_),
        precision=precision_of(str(domain.dtype)),
    )


def _array(element: Any) -> Any:
    return np.asarray(element.asarray() if hasattr(element, "asarray") else element)


def _is_complex(space: Any) -> bool:
    return bool(np.issubdtype(np.dtype(str(space.dtype)), np.complexfloating))


def _weight(space: Any) -> float:
    weighting = getattr(space, "weighting", None)
    value = getattr(weighting, "const", None)
    if value is None and weighting is not None and hasattr(weighting, "array"):
        raise ValueError("the `operator` must have spaces weighted by a number, got an array")
    if getattr(space, "is_power_space", False):  # of gradients: a space for each axis
        return float(value or 1.0) * _weight(space[0])
    return 1.0 if value is None else float(value)
