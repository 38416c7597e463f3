"""The Jacobian of an operator at a point, a linear operator like any other."""

from __future__ import annotations

from torch import Tensor

from invscore.operators.base import LinearOperator, Operator, power_method


class Jacobian(LinearOperator):
    """The linearisation of an operator at ``x``, (b, \\*in_shape).

    It acts on batches of b images, or, when b is one, of any number.
    """

    def __init__(self, operator: Operator, x: Tensor) -> None:
        self.operator, self.x = operator, x.detach()
        self.measured, self.view = operator.measured, operator.view
        self.in_shape, self.out_shape = operator.in_shape, operator.out_shape
        self.in_complex, self.out_complex = operator.in_complex, operator.out_complex

    def matvec(self, x: Tensor) -> Tensor:
        return self.operator.jvp(self._points(x), x)

    def rmatvec(self, y: Tensor) -> Tensor:
        return self.operator.vjp(self._points(y), y)

    def norm(self) -> float:
        return power_method(self, batch=len(self.x))

    def _points(self, batch: Tensor) -> Tensor:
        return (
            self.x
            if len(self.x) == len(batch)
            else self.x.expand(len(batch), *self.in_shape).clone()
        )


def jacobian(operator: Operator, x: Tensor) -> LinearOperator:
    """The linearisation of ``operator`` at ``x``: a ``LinearOperator`` like any other.

    >>> import torch
    >>> from invscore.operators import from_function, jacobian
    >>> square = from_function(lambda x: x**2, in_shape=(1, 1, 2))
    >>> jacobian(square, torch.full((1, 1, 1, 2), 3.0)).matvec(torch.ones(1, 1, 1, 2))
    tensor([[[[1., 1.]]]])
    """
    return operator if isinstance(operator, LinearOperator) else Jacobian(operator, x)
