"""Denoising score matching."""

from __future__ import annotations

from torch import Tensor

from invscore.batches import per_image
from invscore.priors.network import NetworkPrior
from invscore.priors.noise_covariance import Basis, NoiseCovariance


def denoising_score_matching(
    prior: NetworkPrior,
    clean: Tensor,
    sigma: Tensor,
    noise: Tensor,
    maps: Tensor | None = None,
    target: Tensor | None = None,
) -> Tensor:
    """Mean of ``w(sigma) |D(x0 + sigma n, sigma) - x0|^2`` over pixels and images.

    Since ``score = (D - x) / sigma^2``, this is denoising score matching (Vincent 2011, Eq. 11)
    with weight ``sigma^4 w(sigma)``; ``w`` is the prior's own (Karras et al. 2022, Table 1).
    ``clean`` and ``noise`` have shape (b, c, h, w), ``sigma`` has shape (b,), in image units;
    complex noise has unit variance in both parts. Where there are ``maps``, like ``clean``, they
    are the level of each pixel in the place of ``sigma``. A ``target``, like ``clean``, is what D
    is to give back in place of the image.

    After the example of ``invscore.training.objectives``:

    >>> from invscore.networks import build_network
    >>> from invscore.priors import NetworkPrior
    >>> from invscore.training.objectives import denoising_score_matching
    >>> prior = NetworkPrior(build_network("unet", widths=[8], blocks=1), channels=1)
    >>> images = torch.rand(4, 1, 8, 8)
    >>> sigma, noise = torch.full((4,), 0.1), torch.randn(4, 1, 8, 8)
    >>> loss = denoising_score_matching(prior, images, sigma, noise)
    >>> bool(loss > 0), loss.requires_grad
    (True, True)
    """
    if maps is None:
        level = per_image(sigma, clean)
        denoised = prior.denoise(clean + level * noise, sigma)
    else:
        level = maps
        coloured = NoiseCovariance(Basis("pixels"), maps**2)
        denoised = prior.denoise_with(clean + maps * noise, coloured)
    error = denoised - (clean if target is None else target)
    return (prior.loss_weight(level) * error.abs() ** 2).mean()
