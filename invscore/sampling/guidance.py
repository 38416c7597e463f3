"""Autoguidance: a prior steered away from a weaker version of itself."""

from __future__ import annotations

import math

from torch import Tensor

from invscore.batches import PerImage
from invscore.priors.base import Prior
from invscore.processes import Denoiser

GUIDANCE = 2.0
"""Default weight of the guidance."""


def autoguided(prior: Prior, guide: Prior, weight: float) -> Denoiser:
    """``w D + (1 - w) D_guide``, D the denoiser of ``prior`` and w the ``weight``.

    Where the two differ, ``prior`` is likely to be right and to err in the same direction itself,
    but less (Karras et al. 2024, "Guiding a diffusion model with a bad version of itself").
    A weight of 1 is no guidance; raises ``ValueError`` for less. Two evaluations an image.

    After the example of ``invscore.sampling``:

    >>> from invscore.sampling import autoguided
    >>> blurred = GaussianPrior(torch.full((1, 4, 4), 0.5), 0.09)
    >>> denoise = autoguided(prior, blurred, 2.0)
    >>> bool(denoise(x, 0.5).std() < prior.denoise(x, 0.5).std())
    True
    """
    if not 1 <= weight < math.inf:
        raise ValueError(f"`guidance` must be at least 1, got {weight}")

    def denoise(x: Tensor, sigma: PerImage) -> Tensor:
        better, worse = prior.denoise(x, sigma), guide.denoise(x, sigma)
        return worse + weight * (better - worse)

    return denoise
