"""Linear operators of PyLops (Ravasi & Vasconcelos 2020, version 2)."""

from __future__ import annotations

from typing import Any

from invscore.operators.adapters.arrays import as_image
from invscore.operators.adapters.scipy import from_scipy
from invscore.operators.base import LinearOperator, Shape


def from_pylops(
    operator: Any, in_shape: Shape | None = None, out_shape: Shape | None = None
) -> LinearOperator:
    """A ``pylops.LinearOperator`` on images of its ``dims``, (1, h, w) where these are (h, w).

    ``in_shape`` and ``out_shape`` are other shapes of as many numbers. Transforms of real images
    into complex spectra, and the reverse, are what they say they are. Raises ``ValueError`` for
    what has no ``dims``, and where shapes do not fit.

    >>> import pylops
    >>> from invscore.operators import from_pylops
    >>> from_pylops(pylops.FirstDerivative((8, 6), axis=0)).in_shape
    (1, 8, 6)
    """
    for name in ("dims", "dimsd"):
        if not hasattr(operator, name):
            raise ValueError(
                f"`operator` must be a pylops.LinearOperator, got {type(operator).__name__}"
            )
    return from_scipy(
        operator,
        as_image(operator.dims) if in_shape is None else in_shape,
        as_image(operator.dimsd) if out_shape is None else out_shape,
    )
