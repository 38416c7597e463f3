"""Linear operators of SigPy (Ong & Lustig 2019)."""

from __future__ import annotations

from typing import Any

from invscore.operators.adapters.arrays import ArrayOperator, as_image
from invscore.operators.base import LinearOperator, Shape


def from_sigpy(
    linop: Any,
    in_shape: Shape | None = None,
    out_shape: Shape | None = None,
    in_complex: bool = True,
    out_complex: bool = True,
) -> LinearOperator:
    """A ``sigpy.linop.Linop`` on images of its ``ishape``, (1, h, w) where this is (h, w).

    SigPy's operators take numbers of any type; here they are complex, unless told otherwise. It
    runs on the CPU, one image after the other. Raises ``ValueError`` for what is no such operator,
    and where shapes do not fit.

    >>> import sigpy.linop
    >>> from invscore.operators import from_sigpy
    >>> operator = from_sigpy(sigpy.linop.FFT((8, 6)))
    >>> operator.in_shape, operator.in_complex
    ((1, 8, 6), True)
    """
    for name in ("ishape", "oshape", "H"):
        if not hasattr(linop, name):
            raise ValueError(f"`linop` must be a sigpy.linop.Linop, got {type(linop).__name__}")
    return ArrayOperator(
        linop,
        linop.H,
        in_array=linop.ishape,
        out_array=linop.oshape,
        in_shape=as_image(linop.ishape) if in_shape is None else in_shape,
        out_shape=out_shape,
        in_complex=in_complex,
        out_complex=out_complex,
    )
