"""Vector fields and potentials, which objectives train, as plain functions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from invscore.networks.attention import twice_differentiable

VectorField = Callable[[Tensor], Tensor]
"""A vector field such as a score: images (b, \\*shape) to (b, \\*shape), each on its own."""

TimeField = Callable[[Tensor, Tensor], Tensor]
"""A vector field that changes with time, a function of images (b, \\*shape) and times (b,)."""

ScalarField = Callable[[Tensor], Tensor]
"""A potential, or another function from images (b, \\*shape) to numbers (b,), each on its own."""

Schedule = Callable[[Tensor], Tensor]
"""A function of time that is applied to each entry of a tensor of times, (b,) to (b,)."""


def score_of(potential: ScalarField) -> VectorField:
    """The score ``-grad phi`` of the density ``exp(-phi(x)) / Z``, which does not depend on Z.

    With it, every objective for scores trains potentials: the divergence in implicit score
    matching becomes ``-Laplacian phi`` (Hyvärinen 2005, Theorem 1).

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import score_of
    >>> gaussian = score_of(lambda x: x.square().sum(dim=1) / 2)
    >>> torch.allclose(gaussian(x), score(x))
    True
    """

    def score(x: Tensor) -> Tensor:
        with twice_differentiable():
            return -torch.func.grad(lambda images: potential(images).sum())(x)

    return score
