"""Conjugate gradients for batches of Hermitian positive definite systems, and of least squares."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Real part of the inner product of each pair of a batch, (b, \\*shape) -> (b, 1, ..., 1)."""
    product = (a.conj() * b).real
    return product.reshape(len(a), -1).sum(dim=1).reshape(-1, *[1] * (a.ndim - 1))


def conjugate_gradient(
    apply: Callable[[Tensor], Tensor],
    b: Tensor,
    *,
    start: Tensor | None = None,
    tolerance: float = 1e-6,
    iterations: int = 200,
    ask: bool = True,
) -> Tensor:
    """``x`` with ``apply(x) = b``, each image of the batch on its own (Hestenes & Stiefel 1952).

    Stops when every residual has fallen below ``tolerance`` times the norm of its ``b``, or after
    ``iterations`` applications; ``ask`` as for ``least_squares``. On a semi-definite consistent
    system started at zero it gives the solution of least norm.
    """
    x = torch.zeros_like(b) if start is None else start
    residual = b if start is None else b - apply(x)
    direction = residual
    energy = inner(residual, residual)
    goal = tolerance**2 * inner(b, b)
    for _ in range(iterations):
        if ask and bool((energy <= goal).all()):
            break
        image = apply(direction)
        curvature = inner(direction, image)
        # A solved (or zero) image of the batch stands still while the others go on, and so does one
        # whose direction has, but for rounding, left the range of a singular system.
        step = torch.where((energy > goal) & (curvature > 0), energy / curvature, 0.0)
        x = torch.addcmul(x, step, direction)
        residual = torch.addcmul(residual, step, image, value=-1)
        del image  # as large as images are: not held while the next is made
        previous, energy = energy, inner(residual, residual)
        turn = torch.where(energy > goal, energy / previous, 0.0)
        direction = torch.addcmul(residual, turn, direction)
    return x


def least_squares(
    forward: Callable[[Tensor], Tensor],
    adjoint: Callable[[Tensor], Tensor],
    y: Tensor,
    *,
    start: Tensor | None = None,
    damping: Tensor | None = None,
    tolerance: float = 1e-6,
    loudest: float = math.inf,
    iterations: int = 200,
    limit: Tensor | None = None,
    ask: bool = True,
) -> Tensor:
    """``x`` of least ``|y - forward(x)|^2 + <x, damping x>``, each image of the batch on its own.

    Conjugate gradients on the normal equations, which are never formed: the gradient is
    ``adjoint`` of the residual, as small as that is (CGLS, Björck 1996, Sec. 7.4.1). Solved for
    ``adjoint(y)`` instead, rounding errors of that, as large as y, would be divided by the damping
    where ``forward`` is blind. Stops when every gradient has fallen below ``tolerance`` times that
    at zero, whatever the ``start``, which counts as an rms of ``loudest`` at most, or after
    ``iterations``, or ``limit``, (b, 1, ..., 1), for each image of its own. Unless the host is to
    ``ask`` each time whether all are solved, and to wait for the device, solved ones stand still
    to the end.

    ``damping`` broadcasts against x, and is not negative.
    """
    residual, direction = y, adjoint(y)
    del y  # what is as large as images is not held longer than it is needed
    energy = inner(direction, direction)
    numbers = (2 if direction.is_complex() else 1) * direction[0].numel()
    goal = tolerance**2 * energy.clamp_max(loudest**2 * numbers)
    if start is None:
        x = torch.zeros_like(direction)
    else:
        x, residual = start, residual - forward(start)
        direction = adjoint(residual)
        if damping is not None:
            direction = torch.addcmul(direction, damping, x, value=-1)
        energy = inner(direction, direction)
    least = goals(goal, iterations, limit)
    left = energy * (energy > least[0])  # 0 where an image is solved
    for made in range(iterations):
        if ask and not bool(left.any()):
            break
        image = forward(direction)
        curvature = inner(image, image).reshape(energy.shape)
        if damping is not None:
            curvature = curvature + inner(direction, damping * direction)
        step = ratio(left, curvature)
        x = torch.addcmul(x, step, direction)
        of_measured = step.reshape(-1, *[1] * (residual.ndim - 1))
        residual = torch.addcmul(residual, of_measured, image, value=-1)
        del image
        gradient = adjoint(residual)
        if damping is not None:
            gradient = torch.addcmul(gradient, damping, x, value=-1)
        energy = inner(gradient, gradient)
        previous, left = left, energy * (energy > least[made + 1])
        direction = torch.addcmul(gradient, ratio(left, previous), direction)
        del gradient
    return x


def goals(goal: Tensor, iterations: int, limit: Tensor | None) -> Sequence[Tensor]:
    """Energies at which each iteration ends; those beyond its ``limit`` always do."""
    if limit is None:
        return [goal] * (iterations + 1)
    made = torch.arange(iterations + 1, device=goal.device).reshape(-1, *[1] * goal.ndim)
    return torch.where(made < limit, goal, torch.inf).unbind()


def ratio(energy: Tensor, other: Tensor) -> Tensor:
    """``energy / other``, and 0 where that is no finite number: what is solved stands still."""
    return (energy / other).nan_to_num(0.0, 0.0, 0.0)
