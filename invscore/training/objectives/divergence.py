"""The divergence of a vector field, exactly and by Hutchinson's estimator.

Derivatives are taken forward, along directions, and can be differentiated again, as training does.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from invscore.training.objectives.fields import Field


def exact_divergence(field: Field, x: Tensor) -> tuple[Tensor, Tensor]:
    """``f(x)`` and the trace of its Jacobian, (b,), at the price of one derivative a pixel."""
    basis = torch.eye(x[0].numel(), dtype=x.dtype, device=x.device).reshape(-1, *x.shape[1:])
    trace = x.new_zeros(len(x))
    for direction in basis:
        value, estimate = hutchinson_divergence(field, x, direction.expand_as(x))
        trace = trace + estimate
    return value, trace


def hutchinson_divergence(field: Field, x: Tensor, probe: Tensor) -> tuple[Tensor, Tensor]:
    """``f(x)`` and ``v . J v``, (b,), whose mean over probes with ``E[v v^T] = I`` is the trace.

    ``probe``: one v an image, normal or, for less variance, of random signs (Hutchinson 1990).
    """
    value_and_slope = torch.func.jvp(field, (x,), (probe,))
    return value_and_slope[0], inner(probe, value_and_slope[1])


def random_signs(like: Tensor, random: np.random.Generator) -> Tensor:
    """Rademacher probes, +1 and -1 with equal chances, of the shape, type and device of ``like``.

    Their estimate of a trace is exact where the Jacobian is diagonal.
    """
    signs = 2 * random.integers(0, 2, tuple(like.shape), dtype=np.int8) - 1
    return torch.from_numpy(signs).to(like)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each image of ``a`` with that of ``b``, (b,)."""
    return (a * b).flatten(1).sum(dim=1)
