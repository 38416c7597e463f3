"""Gray images through a prior of colour images."""

from __future__ import annotations

import pytest
import torch

from invscore.images import crop_and_shrink, load_image
from invscore.priors import DenoiserPrior, Grayscale, check_prior, load_prior

F64 = torch.float64


def wiener(z: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    return 0.5 + (z - 0.5) / (1 + 16 * s.reshape(-1, 1, 1, 1) ** 2)


def test_three_channels_with_more_noise() -> None:
    """Of channels denoised by themselves: their level is sqrt(3) times that of their mean."""
    prior = Grayscale(DenoiserPrior(wiener, channels=3, sigma_min=0.01, sigma_max=2.0))
    assert prior.sigma_max == pytest.approx(2 / 3**0.5)
    x = torch.rand(2, 1, 4, 5, dtype=F64)
    sigma = torch.tensor([0.1, 0.5], dtype=F64)
    expected = wiener(x, 3**0.5 * sigma)
    torch.testing.assert_close(prior.denoise(x, sigma), expected)
    check_prior(prior, (1, 4, 5), dtype=F64).raise_if_failed()


def test_better_than_equal_channels() -> None:
    """On a photograph: within half a decibel of the gray prior; equal channels lose decibels."""
    clean = crop_and_shrink(load_image("camera")[:1], 48)[None]
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    colour = load_prior("photos")

    def psnr(x: torch.Tensor) -> float:
        return float(-10 * (x - clean).square().mean().log10())

    gray = psnr(load_prior("photos-gray").denoise(noisy, 0.1))
    ours = psnr(Grayscale(colour).denoise(noisy, 0.1))
    equal = psnr(colour.denoise(noisy.expand(-1, 3, -1, -1), 0.1).mean(dim=1, keepdim=True))
    assert ours > gray - 0.6
    assert ours > equal + 2


def test_priors_that_have_no_colours() -> None:
    with pytest.raises(ValueError, match="`prior` must be one of real images of several channels"):
        Grayscale(load_prior("digits"))
