"""Explicit score matching: the regression that every other objective stands for."""

from __future__ import annotations

from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.training.objectives.fields import VectorField


def explicit_score_matching(
    score: VectorField, x: Tensor, truth: Tensor, weight: PerImage = 1.0
) -> Tensor:
    """Mean of ``w |s(x) - truth|^2`` over images and pixels, for scores that are known.

    This is the Fisher divergence per pixel (Hyvärinen 2005, Eq. 2, without its factor 1/2). ``x``
    and ``truth`` have shape (b, \\*shape). Any ``truth`` whose mean given x is the score will do.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import explicit_score_matching
    >>> float(explicit_score_matching(score, x, truth=-x))
    0.0
    """
    return squared_distance(score(x), truth, weight)


def squared_distance(found: Tensor, target: Tensor, weight: PerImage = 1.0) -> Tensor:
    """Mean of ``weight |found - target|^2`` over images and pixels.

    Raises ``ValueError`` where the shapes differ: broadcasting would hide it.
    """
    if found.shape != target.shape:
        raise ValueError(
            "the function that is taught must return the shape of its target, "
            f"{tuple(target.shape)}, got {tuple(found.shape)}"
        )
    return (per_image(weight, target, "weight") * (found - target) ** 2).mean()
