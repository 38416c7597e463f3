"""Conformal risk control: the factor by which intervals hold a stated fraction of pixels.

Conformal risk control (Angelopoulos, Bates, Fisch, Lei & Schuster 2022, Theorem 1). The loss of an
image at a factor is the fraction of its pixels outside the widened interval: between 0 and 1, and
falling in the factor. With n images that are exchangeable with a new one, the smallest factor with

    (n mean loss + 1) / (n + 1) <= 1 - level

leaves at most a fraction 1 - level of the new image's pixels outside, on average over draws of all
n + 1 images: whatever the law of pixels, however they depend on one another within an image. Pixels
of one image are not exchangeable with those of another, so it is images that count. For images of
one pixel this is split conformal prediction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from invscore.uncertainty.intervals import check_level

SLACK = 1e-9  # of sums of weights, in float64


def images_needed(level: float) -> int:
    """The fewest images for which there is a factor with the guarantee: ``1 / (1 - level) - 1``."""
    check_level(level)
    return math.ceil(level / (1 - level) - SLACK)


def share_held(images: int, level: float) -> float:
    """Share of the pixels of so many ``images`` that the factor of the guarantee holds.

    ``level (1 + 1 / n)``: of few images much more than the level, which a new image is sure to
    have on average.

    >>> from invscore.calibration.conformal import share_held
    >>> round(share_held(5, 0.8), 3), round(share_held(80, 0.8), 3)
    (0.96, 0.81)
    """
    return level * (1 + 1 / images)


def conformal_factor(errors: Sequence[Tensor], level: float) -> float:
    """The factor of the guarantee; infinity where samples agree on too many wrong pixels.

    ``errors``: for each image, its ``relative_error`` in any shape. Raises ``ValueError`` for fewer
    images than ``images_needed``.
    """
    n = len(errors)
    if n < images_needed(level):
        raise ValueError(f"level {level:g} needs at least {images_needed(level)} images, got {n}")
    allowed = 1 - share_held(n, level)
    pooled = torch.cat([e.flatten() for e in errors]).double()
    weights = torch.cat([pooled.new_full((e.numel(),), 1 / (n * e.numel())) for e in errors])
    ordered, places = pooled.sort()
    # The mean loss with the factor at each error: all that come after it are outside.
    losses = 1 - weights[places].cumsum(dim=0)
    return float(ordered[int((losses <= allowed + SLACK).int().argmax())])


def left_out_factors(errors: Sequence[Tensor], level: float) -> list[float]:
    """Factor for each image, found with the other images."""
    rest = range(len(errors))
    return [conformal_factor([errors[j] for j in rest if j != i], level) for i in rest]
