"""The divergence of a vector field, exactly and by Hutchinson's estimator.

Derivatives are taken backwards, which costs less than forwards when they are differentiated again,
as training does.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from invscore.networks.attention import twice_differentiable
from invscore.training.objectives.fields import VectorField


def exact_divergence(field: VectorField, x: Tensor) -> tuple[Tensor, Tensor]:
    """``f(x)`` and the trace of its Jacobian, (b,), at the price of a derivative for each pixel.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import exact_divergence
    >>> value, divergence = exact_divergence(score, x[:3])
    >>> divergence
    tensor([-2., -2., -2.])
    """
    value, pull = _vjp(field, x)
    pixels = torch.eye(x[0].numel(), dtype=x.dtype, device=x.device).reshape(-1, *x.shape[1:])
    diagonal = [inner(pixel, pull(pixel.expand_as(x))[0]) for pixel in pixels]
    return value, torch.stack(diagonal).sum(dim=0)


def hutchinson_divergence(field: VectorField, x: Tensor, probe: Tensor) -> tuple[Tensor, Tensor]:
    """``f(x)`` and ``v . J v``, (b,), whose mean over probes with ``E[v v^T] = I`` is the trace.

    ``probe``: one v an image, normal or, for less variance, of random signs (Hutchinson 1990).

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import hutchinson_divergence
    >>> value, divergence = hutchinson_divergence(score, x[:3], probe=torch.ones(3, 2))
    >>> divergence
    tensor([-2., -2., -2.])
    """
    value, pull = _vjp(field, x)
    return value, inner(probe, pull(probe)[0])


def random_signs(like: Tensor, random: np.random.Generator) -> Tensor:
    """Rademacher probes, +1 and -1 with equal chances, of the shape, type and device of ``like``.

    Their estimate of a trace is exact where the Jacobian is diagonal.

    After the example of ``invscore.training.objectives``:

    >>> import numpy as np
    >>> from invscore.training.objectives import random_signs
    >>> random_signs(x, np.random.default_rng(0)).abs().unique()
    tensor([1.])
    """
    signs = 2 * random.integers(0, 2, tuple(like.shape), dtype=np.int8) - 1
    return torch.from_numpy(signs).to(like)


def _vjp(field: VectorField, x: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor]]]:
    """``f(x)`` and the function ``v -> J^T v``, which can be differentiated again."""
    with twice_differentiable():
        value, pull = torch.func.vjp(field, x)  # type: ignore[misc]
    return value, pull


def inner(a: Tensor, b: Tensor) -> Tensor:
    """The inner product of each image of ``a`` with that of ``b``, (b,)."""
    return (a * b).flatten(1).sum(dim=1)
