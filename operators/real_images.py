"""Real images for an operator of complex ones."""

from __future__ import annotations

from torch import Tensor

from invscore.operators.base import Composition, LinearOperator, NonlinearOperator, Operator, Shape


class RealImages(LinearOperator):
    """Real images, (\\*in_shape), as complex: ``A @ RealImages(A.in_shape)`` is A of real ones.

    For operators of other libraries whose images are complex because their measurements are, and
    for priors of real images. The adjoint takes the real part.

        >>> import torch
        >>> from invscore.operators import MRI, RealImages
        >>> operator = MRI(torch.ones(4, 4, dtype=torch.bool)) @ RealImages((1, 4, 4))
        >>> operator.in_complex, operator.out_complex
        (False, True)
    """

    out_complex = True

    def __init__(self, in_shape: Shape) -> None:
        self.in_shape = self.out_shape = tuple(in_shape)

    def matvec(self, x: Tensor) -> Tensor:
        return x.to(x.dtype.to_complex())

    def rmatvec(self, y: Tensor) -> Tensor:
        return y.real

    def norm(self) -> float:
        return 1.0


class NonlinearOfRealImages(NonlinearOperator):
    """A nonlinear operator of complex images, of real ones."""

    def __init__(self, operator: Operator) -> None:
        self.operator, self.out_complex = operator, operator.out_complex
        self.in_shape, self.out_shape = operator.in_shape, operator.out_shape

    def __call__(self, x: Tensor) -> Tensor:
        return self.operator(x.to(x.dtype.to_complex()))


def of_real_images(operator: Operator) -> Operator:
    """``operator`` of real images alone, where its images are complex."""
    if not operator.in_complex:
        return operator
    if isinstance(operator, LinearOperator):
        return operator @ RealImages(operator.in_shape)
    return NonlinearOfRealImages(operator)


def is_of_real_images(operator: Operator) -> bool:
    """Whether ``of_real_images`` has made ``operator``."""
    inner = operator.inner if isinstance(operator, Composition) else operator
    return isinstance(inner, RealImages | NonlinearOfRealImages)
