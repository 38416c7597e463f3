"""Bands that are alike: the posterior mean of a Gaussian, derivatives, and errors."""

from __future__ import annotations

import pytest
import torch

from invscore.batches import PerImage, per_image
from invscore.priors import GaussianPrior, Multiband, Prior, check_prior
from invscore.priors.multiband import CHROMA

F64 = torch.float64
BANDS, SIGMA = 4, torch.tensor([0.05, 0.4], dtype=F64)


class Pixels(Prior):
    """Independent pixels about 0.3, of variance 0.04."""

    mean, variance = 0.3, 0.04

    def denoise(self, x: torch.Tensor, sigma: PerImage) -> torch.Tensor:
        return 0.3 + 0.04 / (0.04 + per_image(sigma, x) ** 2) * (x - 0.3)


def test_the_mean_of_a_gaussian() -> None:
    """Bands of one pixel are a Gaussian vector, whose denoiser is a matrix."""
    prior = Multiband(Pixels(), BANDS)
    k = torch.arange(BANDS, dtype=F64)
    basis = torch.cos(torch.pi / BANDS * k[:, None] * (k + 0.5))
    basis = basis / basis.norm(dim=1, keepdim=True)
    sizes = torch.cat([k.new_ones(1), CHROMA / k[1:]])
    covariance = basis.T @ torch.diag(0.04 * BANDS * sizes**2) @ basis
    x = torch.rand(2, BANDS, 3, 5, dtype=F64)
    for image, sigma in enumerate(SIGMA):
        gain = covariance @ torch.linalg.inv(covariance + sigma**2 * torch.eye(BANDS, dtype=F64))
        centred = x[image] - 0.3
        expected = 0.3 + torch.einsum("ij,jhw->ihw", gain, centred)
        torch.testing.assert_close(prior.denoise(x, SIGMA)[image], expected)
    assert prior.variance == pytest.approx(float(covariance.diagonal().mean()))


def test_it_is_a_prior() -> None:
    check_prior(Multiband(Pixels(), BANDS), (BANDS, 3, 5), dtype=F64).raise_if_failed()


def test_errors() -> None:
    with pytest.raises(ValueError, match="`bands` must be at least 1, got 0"):
        Multiband(Pixels(), 0)
    with pytest.raises(ValueError, match=r"real ones \(b, 4, h, w\) for a multiband"):
        Multiband(Pixels(), 4).denoise(torch.zeros(1, 3, 2, 2), 0.1)
    with pytest.raises(ValueError, match="`prior` must have one number as its mean"):
        Multiband(GaussianPrior(torch.zeros(1, 2, 2), 1.0), 4)
