"""Denoising score matching."""

from __future__ import annotations

from torch import Tensor

from invscore.batches import per_image
from invscore.priors.network import NetworkPrior


def denoising_score_matching(
    prior: NetworkPrior, clean: Tensor, sigma: Tensor, noise: Tensor
) -> Tensor:
    """Mean of ``w(sigma) |D(x0 + sigma n, sigma) - x0|^2`` over pixels and images.

    Since ``score = (D - x) / sigma^2``, this is denoising score matching (Vincent 2011, Eq. 11)
    with weight ``sigma^4 w(sigma)``; ``w`` is the prior's own (Karras et al. 2022, Table 1).
    ``clean`` and ``noise`` have shape (b, c, h, w), ``sigma`` has shape (b,), in image units;
    complex noise has unit variance in both parts.
    """
    level = per_image(sigma, clean)
    denoised = prior.denoise(clean + level * noise, sigma)
    return (per_image(prior.loss_weight(sigma), clean) * (denoised - clean).abs() ** 2).mean()
