"""Conjugate gradients for batches of Hermitian positive definite systems."""

from __future__ import annotations

from collections.abc import Callable

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
) -> Tensor:
    """``x`` with ``apply(x) = b``, each image of the batch on its own (Hestenes & Stiefel 1952).

    Stops when every residual has fallen below ``tolerance`` times the norm of its ``b``, or after
    ``iterations`` applications. On a semi-definite consistent system started at zero it gives the
    solution of least norm.
    """
    x = torch.zeros_like(b) if start is None else start
    residual = b if start is None else b - apply(x)
    direction = residual
    energy = inner(residual, residual)
    goal = tolerance**2 * inner(b, b)
    for _ in range(iterations):
        if bool((energy <= goal).all()):
            break
        image = apply(direction)
        curvature = inner(direction, image)
        # A solved (or zero) image of the batch stands still while the others go on, and so does one
        # whose direction has, but for rounding, left the range of a singular system.
        step = torch.where((energy > goal) & (curvature > 0), energy / curvature, 0.0)
        x = x + step * direction
        residual = residual - step * image
        previous, energy = energy, inner(residual, residual)
        direction = residual + torch.where(energy > goal, energy / previous, 0.0) * direction
    return x
