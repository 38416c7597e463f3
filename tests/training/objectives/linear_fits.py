"""Fits of losses that are quadratic in their parameters, with standard errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Fit(NamedTuple):
    """The minimiser, its standard errors, (p,), and each batch's gradient at 0, (batches, p)."""

    theta: Tensor
    error: Tensor
    gradients: Tensor


def fit_linear(
    loss: Callable[[Tensor, np.random.Generator], Tensor], parameters: int, batches: int = 24
) -> Fit:
    """Where the mean of ``loss(theta, random)`` over independent batches is least."""
    slopes, hessians = [], []
    for batch in range(batches):
        theta = torch.zeros(parameters, dtype=torch.float64, requires_grad=True)
        value = loss(theta, np.random.default_rng([batch, 7]))
        (slope,) = torch.autograd.grad(value, theta, create_graph=True)
        rows = [torch.autograd.grad(entry, theta, retain_graph=True)[0] for entry in slope]
        slopes.append(slope.detach())
        hessians.append(torch.stack(rows))
    gradients, curvatures = torch.stack(slopes), torch.stack(hessians)
    inverse = curvatures.mean(0).inverse()
    best = -inverse @ gradients.mean(0)
    leftover = curvatures @ best + gradients
    return Fit(best, (leftover @ inverse).std(0) / batches**0.5, gradients)
