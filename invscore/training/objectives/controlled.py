"""Denoising score matching whose variance stays finite as the noise vanishes."""

from __future__ import annotations

from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.training.objectives.fields import VectorField


def controlled_score_matching(
    score: VectorField, clean: Tensor, sigma: PerImage, noise: Tensor, weight: PerImage = 1.0
) -> Tensor:
    """Mean of ``w (|s(x)|^2 + 2 n . (s(x) - s(clean)) / sigma)`` at ``x = clean + sigma n``.

    Denoising score matching with Gaussian noise has the gradient of ``|s(x)|^2 + 2 n . s(x) /
    sigma``. The control variate ``2 n . s(clean) / sigma`` has mean 0 and takes away what grows
    like 1 / sigma (Wang et al. 2020, "Wasserstein minimum velocity"): for sigma to 0 this is
    ``hutchinson_score_matching`` with probe n. ``score`` is evaluated twice.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import controlled_score_matching
    >>> loss = lambda s: controlled_score_matching(s, x, 1.0, noise)
    >>> bool(loss(noisy_score) < loss(lambda x: 2 * noisy_score(x)))
    True
    """
    level = per_image(sigma, clean)
    smoothed = score(clean + level * noise)
    losses = smoothed**2 + 2 * noise * (smoothed - score(clean)) / level
    return (per_image(weight, losses, "weight") * losses).mean()
