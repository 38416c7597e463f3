"""Forward models ``y = A(x)``: the contract, its algebra and the built-in operators."""

from invscore.operators.base import (
    SVD,
    LinearOperator,
    NonlinearOperator,
    Operator,
    SpectralOperator,
    jacobian,
    stack,
)

__all__ = [
    "SVD",
    "LinearOperator",
    "NonlinearOperator",
    "Operator",
    "SpectralOperator",
    "jacobian",
    "stack",
]
