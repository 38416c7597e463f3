"""Energy priors: a density whose gradient is the score, a denoiser, training and files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from invscore.files.checkpoint import CheckpointError
from invscore.networks import Potential, build_network
from invscore.priors import EnergyPrior, NetworkPrior, check_prior, load_prior
from invscore.priors.parametrisation import PARAMETRISATIONS
from invscore.training.objectives.denoising import denoising_score_matching

F64 = torch.float64
ARCHITECTURE = {"name": "unet", "energy": True, "widths": [4, 8], "blocks": 1, "embedding": 8}


def energy_prior(**options: object) -> EnergyPrior:
    torch.manual_seed(0)
    channels = 2 if options.get("complex") else 1
    architecture = {**ARCHITECTURE, "channels": channels}
    network = build_network(**architecture)  # type: ignore[arg-type]
    assert isinstance(network, Potential)
    nn.init.normal_(network.network.head.weight, std=0.3)  # type: ignore[arg-type, union-attr]
    prior = EnergyPrior(network, channels=1, metadata={"architecture": architecture}, **options)
    return prior.requires_grad_(False)


@pytest.mark.parametrize("parametrisation", PARAMETRISATIONS)
def test_the_contract(parametrisation: str) -> None:
    """Among it: the gradient of the density is the score, and J^T u that of second derivatives."""
    prior = energy_prior(parametrisation=parametrisation).double()
    report = check_prior(prior, (1, 6, 5), dtype=F64)
    assert report.ok, str(report)
    assert "log_density" in [row.name for row in report.rows]


def test_the_contract_of_complex_images() -> None:
    report = check_prior(energy_prior(complex=True).double(), (1, 6, 5), dtype=torch.complex128)
    assert report.ok, str(report)


class Half(nn.Module):
    """N(u) = gain u / 2, so that psi = gain |u|^2 / 2 and F = gain u."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain, dtype=F64))

    def forward(self, u: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002
        return self.gain * u / 2


def test_the_density_of_gaussian_images() -> None:
    """Images N(m, v): log p = -|x - m|^2 / (2 (v + sigma^2)), whatever sigma_data is."""
    mean, data, variance, sigma = 0.5, 0.25, 0.04, 0.2
    total = sigma**2 + data**2
    gain = (variance / (variance + sigma**2) - data**2 / total) * total / (sigma * data)
    prior = EnergyPrior(Potential(Half(gain)), channels=2, mean=mean, sigma_data=data)
    x = torch.randn(3, 2, 4, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    centred = x - mean
    torch.testing.assert_close(
        prior.denoise(x, sigma).detach(), mean + variance / (variance + sigma**2) * centred
    )
    expected = -(centred**2).flatten(1).sum(dim=1) / (2 * (variance + sigma**2))
    torch.testing.assert_close(prior.log_density(x, sigma).detach(), expected)
    torch.testing.assert_close(
        prior.log_density(x, torch.full((3,), sigma, dtype=F64)).detach(), expected
    )


@torch.no_grad()
def test_pullback_without_gradients() -> None:
    prior = energy_prior().double()
    x, u = torch.randn(2, 2, 1, 7, 5, generator=torch.Generator().manual_seed(0), dtype=F64)
    denoised, pull = prior.pullback(x, 0.3)
    torch.testing.assert_close(denoised, prior.denoise(x, 0.3))
    step = 1e-5
    push = (prior.denoise(x + step * u, 0.3) - prior.denoise(x - step * u, 0.3)) / (2 * step)
    torch.testing.assert_close(pull(u), push, rtol=1e-6, atol=1e-8)  # J is symmetric
    assert not pull(u).requires_grad


def test_denoising_trains_it() -> None:
    """On Gaussian images psi's one weight comes to the closed form."""
    variance, sigma, data, count = 0.04, 0.2, 0.25, 200_000
    prior = EnergyPrior(Potential(Half(0.0)), channels=1, mean=0.0, sigma_data=data)
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, count, 1, 1, 1, generator=generator, dtype=F64)
    clean, levels = variance**0.5 * clean, torch.full((count,), sigma, dtype=F64)
    optimiser = torch.optim.LBFGS(prior.parameters(), line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = denoising_score_matching(prior, clean, levels, noise)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)
    x = torch.ones(1, 1, 1, 1, dtype=F64)
    slope = float(prior.denoise(x, sigma).detach())
    # The regression of x0 on x: a slope of variance residual / (n var x).
    total = variance + sigma**2
    error = (variance * sigma**2 / total / (count * total)) ** 0.5
    assert abs(slope - variance / total) < 5 * error
    assert error < 0.002


def test_file(tmp_path: Path) -> None:
    file, prior = tmp_path / "mine.safetensors", energy_prior(parametrisation="noise", mean=0.1)
    prior.save(file, dtype=torch.float32)
    loaded = load_prior(file)
    assert isinstance(loaded, EnergyPrior)
    x = torch.rand(2, 1, 7, 8)
    assert torch.equal(loaded.denoise(x, 0.1), prior.denoise(x, 0.1))
    assert torch.equal(loaded.log_density(x, 0.1), prior.log_density(x, 0.1))
    assert not any(w.requires_grad for w in loaded.parameters())
    assert not loaded.denoise(x, 0.1).requires_grad
    # As a plain denoiser it serves too.
    assert torch.equal(NetworkPrior.load(file).denoise(x, 0.1), prior.denoise(x, 0.1))


def test_refusals(tmp_path: Path) -> None:
    architecture = {**ARCHITECTURE, "energy": False}
    network = build_network(**architecture)  # type: ignore[arg-type]
    plain = NetworkPrior(network, channels=1, metadata={"architecture": architecture})
    x = torch.rand(1, 1, 4, 4)
    assert not plain.has_density
    with pytest.raises(
        ValueError, match=r"must have a density, .*, got a NetworkPrior, which has a score alone"
    ):
        plain.log_density(x, 0.1)
    with pytest.raises(ValueError, match="network of an energy must be a Potential, got a UNet"):
        EnergyPrior(network, channels=1)  # type: ignore[arg-type]
    plain.save(tmp_path / "plain.safetensors")
    with pytest.raises(CheckpointError, match="must be a Potential"):
        EnergyPrior.load(tmp_path / "plain.safetensors")
    with pytest.raises(ValueError, match=r"must have shape \(b, 1, h, w\) for this prior"):
        energy_prior().log_density(torch.rand(1, 2, 4, 4), 0.1)
