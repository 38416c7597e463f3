"""Denoising score matching with noise of any density."""

from __future__ import annotations

from torch import Tensor

from invscore.batches import PerImage, per_image
from invscore.training.objectives.densities import GaussianDensity, NoiseDensity
from invscore.training.objectives.fields import VectorField
from invscore.training.objectives.matching import explicit_score_matching


def noise_score_matching(
    score: VectorField,
    clean: Tensor,
    sigma: PerImage,
    noise: Tensor,
    density: NoiseDensity = GaussianDensity(),
) -> Tensor:
    """Mean of ``|s(x) - grad log g(n) / sigma|^2`` at ``x = clean + sigma n``.

    Its minimiser is the score of the noisy data for any density g of the noise (Vincent 2011,
    Eq. 9). ``clean`` and ``noise``, drawn from ``density``: (b, \\*shape). The mean is over images
    and pixels. With Gaussian noise only, that score is ``(D - x) / sigma^2``.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.training.objectives import noise_score_matching
    >>> loss = lambda s: noise_score_matching(s, x, 1.0, noise)
    >>> bool(loss(noisy_score) < loss(lambda x: 2 * noisy_score(x)))
    True
    """
    level = per_image(sigma, clean)
    return explicit_score_matching(score, clean + level * noise, density.score(noise) / level)
