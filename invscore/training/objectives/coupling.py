"""Minibatch optimal transport: which noise goes with which image."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def optimal_pairing(clean: Tensor, noise: Tensor) -> Tensor:
    """``noise`` in the order that makes the sum of ``|clean - noise|^2`` over pairs the least.

    Both have shape (b, \\*shape); the work, on the CPU, is of order b^3. Each image has a noise of
    its own, so that neither distribution changes (Pooladian et al. 2023; Tong et al. 2024).
    Raises ``ValueError`` where their shapes differ.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import optimal_pairing
    >>> paired = optimal_pairing(x, noise)
    >>> bool((x - paired).square().sum() < (x - noise).square().sum())
    True
    """
    if clean.shape != noise.shape:
        raise ValueError(
            f"`clean` and `noise` must have the same shape, got {tuple(clean.shape)} and "
            f"{tuple(noise.shape)}"
        )
    # Of |clean - noise|^2 only the products depend on the order; NumPy has no bfloat16.
    with torch.autocast(clean.device.type, enabled=False):
        products = clean.flatten(1) @ noise.flatten(1).T
    _, order = linear_sum_assignment(products.detach().cpu().numpy(), maximize=True)
    return noise[torch.from_numpy(order).to(noise.device)]
