"""Our priors in other people's codes give what they give here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from invscore.priors import DiffusionPrior, load_prior
from invscore.priors.export import EpsilonNetwork, export_program


def test_the_network_of_a_ddpm() -> None:
    """There and back: what it predicts makes the same denoiser."""
    prior = load_prior("digits")
    network = EpsilonNetwork(prior)
    back = DiffusionPrior(
        network, channels=1, predicts="epsilon", alphas_cumprod=network.table, facts={}
    )
    x = torch.rand(3, 1, 28, 28)
    sigma = torch.tensor([0.02, 0.3, 5.0])
    torch.testing.assert_close(back.denoise(x, sigma), prior.denoise(x, sigma), rtol=0, atol=2e-4)
    noise = torch.randn(2, 1, 28, 28)
    abar = network.table[600].float()
    noisy = abar.sqrt() * -torch.ones_like(noise) + (1 - abar).sqrt() * noise
    assert float((network(noisy, 600) - noise).square().mean()) < 0.01  # an image that is black
    with pytest.raises(ValueError, match="`prior` must be one of real images"):
        EpsilonNetwork(load_prior("brain-mri"))


@pytest.mark.filterwarnings("ignore")
def test_a_program(tmp_path: Path) -> None:
    prior = load_prior("digits")
    export_program(prior, (2, 1, 12, 12), tmp_path / "digits.pt2")
    x, sigma = torch.rand(2, 1, 12, 12), torch.tensor([0.1, 0.7])
    program = torch.export.load(tmp_path / "digits.pt2").module()
    torch.testing.assert_close(program(x, sigma), prior.denoise(x, sigma))
    with pytest.raises(ValueError, match=r"`path` must end in \.pt2"):
        export_program(prior, (2, 1, 12, 12), tmp_path / "digits.onnx")


def test_deepinv() -> None:
    pytest.importorskip("deepinv")
    from invscore.priors.export import deepinv_denoiser

    prior, x = load_prior("digits"), torch.rand(2, 1, 12, 12)
    torch.testing.assert_close(deepinv_denoiser(prior)(x, 0.2), prior.denoise(x, 0.2))
    brain, z = load_prior("brain-mri"), torch.randn(2, 1, 8, 8, dtype=torch.complex64)
    parts = torch.cat([z.real, z.imag], dim=1)
    denoised = brain.denoise(z, 0.2)
    expected = torch.cat([denoised.real, denoised.imag], dim=1)
    torch.testing.assert_close(deepinv_denoiser(brain)(parts, 0.2), expected)
