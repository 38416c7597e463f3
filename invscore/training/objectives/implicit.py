"""Implicit score matching: from clean data alone, by the divergence of the score.

Integration by parts turns ``E |s - grad log p|^2`` into ``E[|s|^2 + 2 div s]`` and a constant,
``E |grad log p|^2``. All losses are means over images and pixels; ``weight`` is a number, or one an
image, (b,).
"""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.training.objectives.divergence import (
    exact_divergence,
    hutchinson_divergence,
    inner,
)
from invscore.training.objectives.fields import VectorField


def implicit_score_matching(score: VectorField, x: Tensor, weight: PerImage = 1.0) -> Tensor:
    """Mean of ``|s(x)|^2 + 2 div s(x)`` (Hyvärinen 2005, Theorem 1), exact: for few pixels.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import implicit_score_matching
    >>> loss = lambda s: implicit_score_matching(s, x)
    >>> bool(loss(score) < loss(lambda x: 2 * score(x)))
    True
    """
    value, divergence = exact_divergence(score, x)
    return _mean(inner(value, value) + 2 * divergence, x, weight)


def hutchinson_score_matching(
    score: VectorField, x: Tensor, probe: Tensor, weight: PerImage = 1.0
) -> Tensor:
    """Mean of ``|s(x)|^2 + 2 v . J v``, for any number of pixels.

    ``probe`` holds one v an image, with ``E[v v^T] = I``: normal numbers or ``random_signs``. This
    is sliced score matching with reduced variance, SSM-VR (Song et al. 2019).

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import hutchinson_score_matching
    >>> loss = lambda s: hutchinson_score_matching(s, x, probe=noise)
    >>> bool(loss(score) < loss(lambda x: 2 * score(x)))
    True
    """
    value, divergence = hutchinson_divergence(score, x, probe)
    return _mean(inner(value, value) + 2 * divergence, x, weight)


def sliced_score_matching(
    score: VectorField, x: Tensor, direction: Tensor, weight: PerImage = 1.0
) -> Tensor:
    """Mean of ``(v . s(x))^2 + 2 v . J v``: the score matched along random lines.

    ``direction`` holds one v an image, with ``E[v v^T] = I`` (Song et al. 2019).

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import sliced_score_matching
    >>> loss = lambda s: sliced_score_matching(s, x, direction=noise)
    >>> bool(loss(score) < loss(lambda x: 2 * score(x)))
    True
    """
    value, curvature = hutchinson_divergence(score, x, direction)
    return _mean(inner(direction, value) ** 2 + 2 * curvature, x, weight)


def _mean(losses: Tensor, x: Tensor, weight: PerImage) -> Tensor:
    return (torch.as_tensor(weight).to(losses) * losses).mean() / x[0].numel()
