"""Operators given by functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Literal, overload

import torch
from torch import Tensor, nn

from invscore.operators.base import LinearOperator, NonlinearOperator, Operator, Shape
from invscore.operators.memory_check import require_room

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
        like: Tensor,
    ) -> None:
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        self.in_complex, self.out_complex = in_complex, out_complex
        self._forward, self._adjoint = forward, adjoint
        self._like = like  # tells where, and in which precision, numbers are to be

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
        like: Tensor,
    ) -> None:
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        self.in_complex, self.out_complex = in_complex, out_complex
        self._forward, self._like = forward, like

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
    device: torch.device | str | None = ...,
    dtype: torch.dtype = ...,
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
    device: torch.device | str | None = ...,
    dtype: torch.dtype = ...,
) -> NonlinearOperator: ...


def from_function(
    forward: Function,
    in_shape: Shape,
    out_shape: Shape | None = None,
    adjoint: Function | None = None,
    linear: bool = True,
    in_complex: bool = False,
    out_complex: bool = False,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Operator:
    """The operator of a function of batches, (b, \\*in_shape) -> (b, \\*out_shape).

    ``out_shape`` is by default found by calling ``forward`` on one image of zeros, on ``device``
    and in the precision of the real type ``dtype``; the device is by default that of a tensor or
    module that ``forward`` is, or holds, and the CPU where it holds none. A linear
    operator takes its adjoint from automatic differentiation of ``forward``; where ``adjoint`` is
    given, from there, and nothing is ever differentiated. Raises ``ValueError`` for a nonlinear
    operator with an adjoint.

        >>> import torch
        >>> from invscore.operators import from_function
        >>> double = from_function(lambda x: 2 * x, in_shape=(1, 2, 2), linear=True)
        >>> double.rmatvec(torch.ones(1, 1, 2, 2)).unique()
        tensor([2.])
    """
    if adjoint is not None and not linear:
        raise ValueError("an adjoint was given with linear=False: only a linear operator has one")
    like = torch.empty(0, device=_home(forward) if device is None else device, dtype=dtype)
    if out_shape is None:
        require_room(math.prod(in_shape), f"an image of `in_shape` {tuple(in_shape)}")
        kind = dtype.to_complex() if in_complex else dtype
        with torch.no_grad():
            zeros = torch.zeros(1, *in_shape, dtype=kind, device=like.device)
            out_shape = tuple(forward(zeros).shape[1:])
    if linear:
        return LinearFunction(forward, adjoint, in_shape, out_shape, in_complex, out_complex, like)
    return NonlinearFunction(forward, in_shape, out_shape, in_complex, out_complex, like)


def _home(function: Function) -> torch.device:
    """The device of the first tensor that a function holds: in a closure, a module, an object."""
    cells = getattr(function, "__closure__", None) or ()
    held: list[object] = [function, getattr(function, "__self__", None)]
    held += [cell.cell_contents for cell in cells]
    if isinstance(function, partial):
        held += [function.func, *function.args, *function.keywords.values()]
    for item in held:
        for value in (item, *getattr(item, "__dict__", {}).values()):
            if isinstance(value, nn.Module):
                value = next(chain(value.parameters(), value.buffers()), None)
            if isinstance(value, Tensor):
                return value.device
    return torch.device("cpu")
