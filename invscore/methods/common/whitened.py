"""What is measured of an image, as a function of coefficients that are white under a Gaussian."""

from __future__ import annotations

import abc

from torch import Tensor

from invscore.operators import NonlinearOperator, Operator


class Whitened(NonlinearOperator):
    """``A(centre + L w)`` as a function of w, for a Gaussian of covariance ``L L^H``.

    Who derives from it says what L and its adjoint make of a batch.
    """

    def __init__(self, operator: Operator, centre: Tensor) -> None:
        self.operator, self.centre = operator, centre
        self.in_shape, self.out_shape = operator.in_shape, operator.out_shape
        self.in_complex, self.out_complex = operator.in_complex, operator.out_complex
        self.measured = operator.measured

    @abc.abstractmethod
    def away(self, w: Tensor) -> Tensor:
        """``L w``, images without their centre."""

    @abc.abstractmethod
    def back(self, x: Tensor) -> Tensor:
        """``L^H x``."""

    def image(self, w: Tensor) -> Tensor:
        """``centre + L w``."""
        return self.centre + self.away(w)

    def __call__(self, w: Tensor) -> Tensor:
        return self.operator(self.image(w))

    def jvp(self, w: Tensor, v: Tensor) -> Tensor:
        return self.operator.jvp(self.image(w), self.away(v))

    def vjp(self, w: Tensor, u: Tensor) -> Tensor:
        return self.back(self.operator.vjp(self.image(w), u))
