"""Complex images through the driver, against a posterior in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.methods import METHODS
from invscore.networks import Potential
from invscore.operators import MRI
from invscore.priors import EnergyPrior

SHAPE = (1, 8, 8)
DATA, SIGMA = 0.3, 0.2


class Silent(nn.Module):
    """F = 0: the prior is N(m, DATA^2) in the real and in the imaginary part of each pixel."""

    def forward(self, u: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002
        return torch.zeros_like(u)


def prior(mean: float = 0.0) -> EnergyPrior:
    """With a density, which some methods ask for."""
    network = Potential(Silent())
    return EnergyPrior(
        network, channels=1, complex=True, mean=mean, sigma_data=DATA, sigma_min=1e-3
    )


def problem() -> InverseProblem:
    operator = MRI.random(SHAPE, acceleration=2.0, center_fraction=0.25)
    parts = torch.randn(1, *SHAPE, 2, generator=torch.Generator().manual_seed(0))
    truth = DATA * torch.view_as_complex(parts)
    noise = GaussianNoise(SIGMA)
    return InverseProblem(operator, simulate(operator, truth, noise, 0), noise)


def test_samples_of_the_exact_posterior() -> None:
    """In k-space each part is N(gain y, gain SIGMA^2) where measured, N(0, DATA^2) elsewhere.

    Up to the steps of the sampler, which leave some 2 % too little.
    """
    given, count = problem(), 200
    options = {"guidance": "score", "steps": 200, "scale": 1.0}
    result = reconstruct(given, prior(), method="pigdm", samples=count, **options)
    assert result.mean.dtype == torch.complex64
    gain = DATA**2 / (DATA**2 + SIGMA**2)
    expected = given.operator.rmatvec(gain * given.y)  # type: ignore[attr-defined]
    measured = given.operator.measured  # type: ignore[attr-defined]
    each_part = torch.where(measured, gain**0.5 * SIGMA, DATA)
    spectrum = torch.fft.fftshift(torch.fft.fft2(result.samples - expected, norm="ortho"))
    parts = torch.view_as_real(spectrum)
    assert (parts.mean(0)[0].abs() < 5 * each_part[..., None] / count**0.5).all()
    for mask in (measured, ~measured):
        found = parts[:, 0][:, mask].square().mean(dim=(0, 1)).sqrt()
        wanted = each_part[mask][0].item()
        assert found.tolist() == pytest.approx([wanted, wanted], rel=0.05)
    torch.testing.assert_close(
        result.std.mean(), (2 * each_part.square().mean()).sqrt(), rtol=0.05, atol=0
    )


WHITE_ALONE = [name for name, info in METHODS.items() if "coloured" not in info.needs]
"""What serves a prior that denoises white noise alone."""


@pytest.mark.parametrize("method", sorted(WHITE_ALONE))
def test_every_method_restores_complex_images(method: str) -> None:
    result = reconstruct(problem(), prior(mean=0.1), method=method, steps=3)
    assert result.mean.shape == (1, *SHAPE)
    assert result.mean.dtype == torch.complex64
    assert not result.std.is_complex()
    assert result.mean.imag.abs().max() > 0
