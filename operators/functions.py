"""Operators given by functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, overload

import torch
from torch import Tensor

from invscore.operators.base import LinearOperator, NonlinearOperator, Operator, Shape

Function = Callable[[Tensor], Tensor]


class LinearFunction(LinearOperator):
    """A forward function and its adjoint, which differentiates the forward where none is given."""

    def __init__(
        self,
        forward: Function,
        adjoint: Function | None,
        in_shape: Shape,
        out_shape: Shape,
        in_complex: bool,
        out_complex: bool,
    ) -> None:
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        self.in_complex, self.out_complex = in_complex, out_complex
        self._forward, self._adjoint = forward, adjoint

    def matvec(self, x: Tensor) -> Tensor:
        return self._forward(x)

    def rmatvec(self, y: Tensor) -> Tensor:
        if self._adjoint is not None:
            return self._adjoint(y)
        return transpose(self._forward, y, self.in_shape, self.in_complex)


class NonlinearFunction(NonlinearOperator):
    """A differentiable forward function."""

    def __init__(
        self,
        forward: Function,
        in_shape: Shape,
        out_shape: Shape,
        in_complex: bool,
        out_complex: bool,
    ) -> None:
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        self.in_complex, self.out_complex = in_complex, out_complex
        self._forward = forward

    def __call__(self, x: Tensor) -> Tensor:
        return self._forward(x)


def transpose(forward: Function, y: Tensor, in_shape: Shape, in_complex: bool) -> Tensor:
    """The adjoint of a linear function at ``y``: the gradient of ``<A x, y>``, alike at every x."""
    real = y.real.dtype
    dtype = real.to_complex() if in_complex else real
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.zeros(len(y), *in_shape, dtype=dtype, device=y.device).requires_grad_()
        image = forward(x)
    return torch.autograd.grad(image, x, y, create_graph=y.requires_grad)[0]


@overload
def from_function(
    forward: Function,
    in_shape: Shape,
    out_shape: Shape | None = ...,
    adjoint: Function | None = ...,
    linear: Literal[True] = ...,
    in_complex: bool = ...,
    out_complex: bool = ...,
) -> LinearOperator: ...


@overload
def from_function(
    forward: Function,
    in_shape: Shape,
    out_shape: Shape | None = ...,
    adjoint: Function | None = ...,
    *,
    linear: Literal[False],
    in_complex: bool = ...,
    out_complex: bool = ...,
) -> NonlinearOperator: ...


def from_function(
    forward: Function,
    in_shape: Shape,
    out_shape: Shape | None = None,
    adjoint: Function | None = None,
    linear: bool = True,
    in_complex: bool = False,
    out_complex: bool = False,
) -> Operator:
    """The operator of a function of batches, (b, \\*in_shape) -> (b, \\*out_shape).

    ``out_shape`` is by default found by calling ``forward`` on one image of zeros. A linear
    operator takes its adjoint from automatic differentiation of ``forward``; where ``adjoint`` is
    given, from there, and nothing is ever differentiated. Raises ``ValueError`` for a nonlinear
    operator with an adjoint.
    """
    if adjoint is not None and not linear:
        raise ValueError("an adjoint was given with linear=False: only a linear operator has one")
    if out_shape is None:
        dtype = torch.complex64 if in_complex else torch.float32
        with torch.no_grad():
            out_shape = tuple(forward(torch.zeros(1, *in_shape, dtype=dtype)).shape[1:])
    if linear:
        return LinearFunction(forward, adjoint, in_shape, out_shape, in_complex, out_complex)
    return NonlinearFunction(forward, in_shape, out_shape, in_complex, out_complex)
