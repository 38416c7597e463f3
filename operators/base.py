"""The operator contract: batched forward models ``y = A(x)`` and what is derived from them."""

from __future__ import annotations

import abc
import math
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from invscore.batches import PerImage, ordinary, per_image
from invscore.operators.cg import conjugate_gradient, inner, least_squares
from invscore.operators.placement import Movable, number_type
from invscore.operators.svd import SVD

Shape = tuple[int, ...]
View = Literal["image", "spectrum", "stretched"]
Window = tuple[slice, slice] | tuple[slice, slice, slice]
"""Slices of the last axes of an image: rows and columns, or slices, rows and columns of a
volume."""


class Operator(Movable, abc.ABC):
    """A differentiable map from (b, \\*in_shape) to (b, \\*out_shape).

    ``in_complex`` and ``out_complex`` tell whether images and measurements are complex. Between a
    real and a complex space, the inner product is its real part.

    ``measured`` is a boolean mask over ``out_shape``, false where A(x) is zero by construction and
    tells nothing (the holes of an inpainting problem); ``None`` where everything is measured.

    ``view`` says how a real measurement is shown: as an ``"image"``, in the units of images; as a
    ``"spectrum"``, by logarithmic magnitude; or ``"stretched"`` from its least to its largest
    value. A complex one is always shown as a spectrum. ``out_axes`` says in words what the axes of
    y are, where they are not those of an image.

    ``window`` is the part of the image that lies behind the pixels of y, slices of its rows and
    columns, where the image reaches beyond them (a blur of boundary ``"valid"``); ``None`` where it
    does not, or where y is no image. What lies outside is a margin, known by what was blurred into
    the window alone.

    ``precision`` is the real type in which A computes whatever it is given, as some libraries do,
    and ``None`` where it follows what it is given.

        >>> import torch
        >>> from invscore.operators import Blur
        >>> operator = Blur.gaussian(sigma=1.0, in_shape=(1, 8, 8))
        >>> operator(torch.ones(2, 1, 8, 8)).shape
        torch.Size([2, 1, 8, 8])
    """

    in_shape: Shape
    out_shape: Shape
    in_complex: bool = False
    out_complex: bool = False
    measured: Tensor | None = None
    view: View = "image"
    out_axes: ClassVar[str] = ""
    window: Window | None = None
    precision: torch.dtype | None = None

    @property
    def seen_shape(self) -> Shape:
        """The shape of the part of an image that the measurement shows: of its ``window``."""
        if self.window is None:
            return self.in_shape
        rest = self.in_shape[: -len(self.window)]
        return (*rest, *(part.stop - part.start for part in self.window))

    @abc.abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """``A(x)``."""

    @abc.abstractmethod
    def jvp(self, x: Tensor, v: Tensor) -> Tensor:
        """``J(x) v``, J the Jacobian of A at ``x``."""

    @abc.abstractmethod
    def vjp(self, x: Tensor, u: Tensor) -> Tensor:
        """``J(x)^H u``."""


class LinearOperator(Operator):
    """Write ``matvec`` and ``rmatvec``; the rest follows, or is overridden by a closed form.

    >>> import torch
    >>> from invscore.operators import LinearOperator
    >>> class Twice(LinearOperator):
    ...     in_shape = out_shape = (1, 2, 2)
    ...     def matvec(self, x):
    ...         return 2 * x
    ...     def rmatvec(self, y):
    ...         return 2 * y
    >>> round((Twice() @ Twice()).norm(), 4)
    4.0
    """

    @abc.abstractmethod
    def matvec(self, x: Tensor) -> Tensor:
        """``A x``, (b, \\*in_shape) -> (b, \\*out_shape)."""

    @abc.abstractmethod
    def rmatvec(self, y: Tensor) -> Tensor:
        """``A^H y``, (b, \\*out_shape) -> (b, \\*in_shape)."""

    def __call__(self, x: Tensor) -> Tensor:
        return self.matvec(x)

    def jvp(self, x: Tensor, v: Tensor) -> Tensor:  # noqa: ARG002
        return self.matvec(v)

    def vjp(self, x: Tensor, u: Tensor) -> Tensor:  # noqa: ARG002
        return self.rmatvec(u)

    def normal(self, x: Tensor) -> Tensor:
        """``A^H A x``."""
        return self.rmatvec(self.matvec(x))

    def solve(self, b: Tensor, rho: PerImage) -> Tensor:
        """``x`` with ``(A^H A + rho I) x = b``, ``rho`` > 0 a number or one an image."""
        weight = broadcast(rho, b)
        return conjugate_gradient(lambda x: self.normal(x) + weight * x, b)

    def ridge(self, y: Tensor, rho: PerImage) -> Tensor:
        """``(A^H A + rho I)^-1 A^H y``, the minimiser of ``|y - A x|^2 + rho |x|^2``, ``rho`` > 0.

        What ``solve(rmatvec(y), rho)`` is but for rounding errors: those of ``A^H y``, divided by a
        rho that is smaller than they are, fill the null space of A. To fit y from z, take
        ``z + ridge(y - A z, rho)``.
        """
        weight = broadcast(rho, y.new_empty(len(y), *[1] * len(self.in_shape)))
        return least_squares(self.matvec, self.rmatvec, y, damping=weight)

    def pinv(self, y: Tensor) -> Tensor:
        """The least-squares solution of least norm."""
        return least_squares(self.matvec, self.rmatvec, y)

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        """The singular value decomposition, ``s`` real and in the precision of ``dtype``.

        Raises ``NotImplementedError`` where none is cheap.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no cheap singular value decomposition"
        )

    def norm(self) -> float:
        """The largest singular value, by 50 steps of the power method (to about one per cent)."""
        return power_method(self, batch=1)

    @property
    def H(self) -> LinearOperator:  # noqa: N802
        """The adjoint."""
        return Adjoint(self)

    def __matmul__(self, other: LinearOperator) -> LinearOperator:
        if not isinstance(other, LinearOperator):  # of an image, A(x) is asked for
            return NotImplemented
        return Composition(self, other)

    def __add__(self, other: LinearOperator) -> LinearOperator:
        return Sum(self, other)

    def __mul__(self, factor: float) -> LinearOperator:
        return Multiple(self, factor)

    __rmul__ = __mul__

    def __neg__(self) -> LinearOperator:
        return Multiple(self, -1.0)


class SpectralOperator(LinearOperator):
    """A linear operator whose SVD is cheap, and with it all that follows from one.

    Others may have an SVD too, among them ``Blur`` and multiples: ask ``svd()``, not the class.

    >>> import torch
    >>> from invscore.operators import SVD, SpectralOperator
    >>> class Fade(SpectralOperator):
    ...     in_shape = out_shape = (1, 1, 4)
    ...     weights = torch.tensor([[[1.0, 0.5, 0.25, 0.0]]])
    ...     def matvec(self, x):
    ...         return self.weights * x
    ...     rmatvec = matvec
    ...     def svd(self, dtype=torch.float32):
    ...         return SVD(self.weights.to(dtype), *[lambda c: c] * 4, complete=True)
    >>> Fade().pinv(torch.ones(1, 1, 1, 4))
    tensor([[[[1., 2., 4., 0.]]]])
    """

    @abc.abstractmethod
    def svd(self, dtype: torch.dtype = torch.float32) -> SVD: ...

    def solve(self, b: Tensor, rho: PerImage) -> Tensor:
        f = self.svd(b.dtype)
        coefficients = f.vh(b)
        x = f.v(coefficients / (f.s**2 + broadcast(rho, coefficients)))
        if f.complete:
            return x
        # What V does not see is in the null space of A. A small rho magnifies the rounding errors
        # of the projection, so it is made twice.
        null = b - f.v(coefficients)
        return x + (null - f.v(f.vh(null))) / broadcast(rho, b)

    def ridge(self, y: Tensor, rho: PerImage) -> Tensor:
        f = self.svd(y.dtype)
        coefficients = f.uh(y)
        return f.v(f.s / (f.s**2 + broadcast(rho, coefficients)) * coefficients)

    def pinv(self, y: Tensor) -> Tensor:
        f = self.svd(y.dtype)
        return f.v(torch.where(f.seen, 1 / f.s, 0.0) * f.uh(y))

    def norm(self) -> float:
        return float(self.svd().s.max())


class NonlinearOperator(Operator):
    """Write ``__call__``; Jacobian products come from automatic differentiation.

    It must be made of differentiable operations of torch; a code that leaves torch also writes
    ``jvp`` and ``vjp``. It must not change the images that it is given.

    >>> import torch
    >>> from invscore.operators import NonlinearOperator
    >>> class Square(NonlinearOperator):
    ...     in_shape = out_shape = (1, 2, 2)
    ...     def __call__(self, x):
    ...         return x**2
    >>> Square().vjp(torch.full((1, 1, 2, 2), 3.0), torch.ones(1, 1, 2, 2)).unique()
    tensor([6.])
    """

    def jvp(self, x: Tensor, v: Tensor) -> Tensor:
        return torch.func.jvp(self.__call__, (x,), (v,))[1]

    def vjp(self, x: Tensor, u: Tensor) -> Tensor:
        with torch.inference_mode(False), torch.enable_grad():
            leaf = ordinary(x).requires_grad_()
            y = self(leaf)
            if not y.requires_grad:
                raise ValueError(
                    f"__call__ of {type(self).__name__} must be made of differentiable operations "
                    "of torch, got numbers that have left it: write jvp and vjp beside it"
                )
            return torch.autograd.grad(y, leaf, ordinary(u))[0]


class Adjoint(LinearOperator):
    """``operator.H``."""

    def __init__(self, operator: LinearOperator) -> None:
        self.operator = operator
        self.in_shape, self.out_shape = operator.out_shape, operator.in_shape
        self.in_complex, self.out_complex = operator.out_complex, operator.in_complex

    def matvec(self, x: Tensor) -> Tensor:
        return self.operator.rmatvec(x)

    def rmatvec(self, y: Tensor) -> Tensor:
        return self.operator.matvec(y)

    def norm(self) -> float:
        return self.operator.norm()

    @property
    def H(self) -> LinearOperator:  # noqa: N802
        return self.operator


class Composition(LinearOperator):
    """``outer @ inner``.

    Through a real space between complex ones the product is linear over the reals alone.
    """

    def __init__(self, outer: LinearOperator, inner: LinearOperator) -> None:
        require_equal("inner shapes of a product", outer.in_shape, inner.out_shape)
        require_equal("complexity of a product", outer.in_complex, inner.out_complex)
        self.outer, self.inner = outer, inner
        self.in_shape, self.out_shape = inner.in_shape, outer.out_shape
        self.in_complex, self.out_complex = inner.in_complex, outer.out_complex
        self.measured, self.view = outer.measured, outer.view
        self.window = inner.window

    def matvec(self, x: Tensor) -> Tensor:
        return self.outer.matvec(self.inner.matvec(x))

    def rmatvec(self, y: Tensor) -> Tensor:
        return self.inner.rmatvec(self.outer.rmatvec(y))


class Sum(LinearOperator):
    """``left + right``."""

    def __init__(self, left: LinearOperator, right: LinearOperator) -> None:
        require_equal("input shapes of a sum", left.in_shape, right.in_shape)
        require_equal("output shapes of a sum", left.out_shape, right.out_shape)
        require_equal("input complexity of a sum", left.in_complex, right.in_complex)
        require_equal("output complexity of a sum", left.out_complex, right.out_complex)
        self.left, self.right = left, right
        self.view = left.view
        self.window = left.window if left.window == right.window else None
        if left.measured is not None and right.measured is not None:
            self.measured = left.measured | right.measured
        self.in_shape, self.out_shape = left.in_shape, left.out_shape
        self.in_complex, self.out_complex = left.in_complex, left.out_complex

    def matvec(self, x: Tensor) -> Tensor:
        return self.left.matvec(x) + self.right.matvec(x)

    def rmatvec(self, y: Tensor) -> Tensor:
        return self.left.rmatvec(y) + self.right.rmatvec(y)


class Multiple(LinearOperator):
    """``factor * operator`` with a real factor other than zero."""

    def __init__(self, operator: LinearOperator, factor: float) -> None:
        if not math.isfinite(factor) or factor == 0:
            raise ValueError(
                f"the factor of an operator must be a finite number other than 0, got {factor}"
            )
        self.operator, self.factor = operator, float(factor)
        self.measured, self.view = operator.measured, operator.view
        self.window = operator.window
        self.in_shape, self.out_shape = operator.in_shape, operator.out_shape
        self.in_complex, self.out_complex = operator.in_complex, operator.out_complex

    def matvec(self, x: Tensor) -> Tensor:
        return self.factor * self.operator.matvec(x)

    def rmatvec(self, y: Tensor) -> Tensor:
        return self.factor * self.operator.rmatvec(y)

    def solve(self, b: Tensor, rho: PerImage) -> Tensor:
        square = self.factor**2
        return self.operator.solve(b / square, rho / square)

    def ridge(self, y: Tensor, rho: PerImage) -> Tensor:
        return self.operator.ridge(y / self.factor, rho / self.factor**2)

    def pinv(self, y: Tensor) -> Tensor:
        return self.operator.pinv(y) / self.factor

    def svd(self, dtype: torch.dtype = torch.float32) -> SVD:
        f, sign = self.operator.svd(dtype), math.copysign(1.0, self.factor)
        return replace(
            f,
            s=abs(self.factor) * f.s,
            u=lambda c: sign * f.u(c),
            uh=lambda y: sign * f.uh(y),
        )

    def norm(self) -> float:
        return abs(self.factor) * self.operator.norm()


def broadcast(weight: PerImage, like: Tensor) -> Tensor:
    """A number, or (b,) numbers, as a real tensor that broadcasts against the batch ``like``."""
    return per_image(weight, like, "rho")


def power_method(operator: LinearOperator, batch: int, steps: int = 50) -> float:
    """The largest singular value, of one linear map or the largest of ``batch`` of them."""
    like = number_type(operator)
    dtype = like.dtype.to_complex() if operator.in_complex else like.dtype
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, *operator.in_shape, dtype=dtype, generator=generator).to(like.device)
    growth = inner(x, x)
    for _ in range(steps):
        x = operator.normal(x / inner(x, x).sqrt().clamp_min(1e-30))
        growth = inner(x, x).sqrt()
    return float(growth.max().sqrt())


def require_equal(what: str, left: object, right: object) -> None:
    """Raise ``ValueError`` that says ``what`` differs."""
    if left != right:
        raise ValueError(f"{what} differ: {left} and {right}")
