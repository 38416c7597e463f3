"""Network priors of complex images: two real channels for each."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from invscore.networks import build_network
from invscore.priors import NetworkPrior, check_prior, load_prior
from invscore.training.objectives.denoising import denoising_score_matching

C128 = torch.complex128
ARCHITECTURE = {"name": "unet", "channels": 4, "widths": [4, 8], "blocks": 1, "embedding": 8}


def complex_prior() -> NetworkPrior:
    torch.manual_seed(0)
    network = build_network(**ARCHITECTURE)  # type: ignore[arg-type]
    nn.init.normal_(network.head.weight, std=0.3)  # type: ignore[arg-type, union-attr]
    metadata = {"architecture": ARCHITECTURE}
    prior = NetworkPrior(network, channels=2, complex=True, mean=0.1, metadata=metadata)
    return prior.requires_grad_(False)


def images(count: int = 2, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 2, 6, 5, generator=generator, dtype=C128)


def test_the_contract() -> None:
    """Among it: J^T is the adjoint over the reals."""
    report = check_prior(complex_prior().double(), (2, 6, 5), dtype=C128)
    assert report.ok, str(report)
    assert check_prior(complex_prior(), (2, 6, 5), dtype=torch.complex64).ok


@torch.no_grad()
def test_pullback_of_each_part() -> None:
    """Re <J^T u, v> = Re <u, J v>, u and v real or imaginary in turn, J v by differences."""
    prior, x, step = complex_prior().double(), images(), 1e-5
    _, pull = prior.pullback(x, 0.3)
    for turn_u in (1, 1j):
        for turn_v in (1, 1j):
            u, v = turn_u * images(seed=1).real, turn_v * images(seed=2).real
            push = (prior.denoise(x + step * v, 0.3) - prior.denoise(x - step * v, 0.3)) / 2 / step
            pulled = (pull(u + 0j).conj() * v).real.sum()
            torch.testing.assert_close(pulled, (u.conj() * push).real.sum(), rtol=1e-6, atol=1e-8)


class Turn(nn.Module):
    """Real part to minus the imaginary, imaginary to real: F(u) = i gain u."""

    def forward(self, u: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002
        assert u.shape[1] == 4
        assert not u.is_complex()
        real, imaginary = u[:, 0::2], u[:, 1::2]
        return 0.5 * torch.stack([-imaginary, real], dim=2).flatten(1, 2)


def test_channels_are_real_and_imaginary_parts_in_turn() -> None:
    mean, data, sigma = 0.1, 0.3, 0.4
    prior = NetworkPrior(Turn(), channels=2, complex=True, mean=mean, sigma_data=data)
    total = sigma**2 + data**2
    # Skip, plus c_out i / 2 c_in.
    gain = data**2 / total + 0.5j * sigma * data / total
    expected = mean + gain * (images() - mean)
    torch.testing.assert_close(prior.denoise(images(), sigma), expected)


def test_gaussian_images() -> None:
    """Parts of variance s^2, noise of sigma in each: nothing is left for F to learn."""

    class Silent(nn.Module):
        def forward(self, u: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002
            return torch.zeros_like(u)

    prior = NetworkPrior(Silent(), channels=1, complex=True, mean=0.0, sigma_data=0.3)
    count, sigma = 200_000, 0.4
    parts = torch.randn(2, count, 1, 1, 1, 2, generator=torch.Generator().manual_seed(0)).double()
    clean, noise = 0.3 * torch.view_as_complex(parts[0]), torch.view_as_complex(parts[1])
    x = clean + sigma * noise
    error = clean - prior.denoise(x, sigma)
    # The error of the posterior mean is uncorrelated with x, in each part.
    correlation = torch.view_as_real(error * x.conj())[..., 0].mean()
    assert abs(correlation) < 5 * (2 * 0.3**2 * sigma**2 / count) ** 0.5
    posterior = 2 * 0.3**2 * sigma**2 / (0.3**2 + sigma**2)
    assert error.abs().square().mean().item() == pytest.approx(posterior, rel=0.015)
    assert prior.variance == pytest.approx(0.09)


def test_precision_and_files(tmp_path: Path) -> None:
    prior, x = complex_prior(), images().to(torch.complex64)
    assert prior.denoise(x, 0.1).dtype == torch.complex64
    assert prior.denoise(images(), 0.1).dtype == C128
    prior.save(tmp_path / "mine.safetensors", dtype=torch.float32)
    loaded = load_prior(tmp_path / "mine.safetensors")
    assert loaded.complex
    assert loaded.channels == 2
    assert torch.equal(loaded.denoise(x, 0.1), prior.denoise(x, 0.1))


def test_refused_images() -> None:
    prior = complex_prior()
    with pytest.raises(ValueError, match=r"must be complex images .*, got torch\.float32"):
        prior.denoise(torch.rand(1, 2, 4, 4), 0.1)
    with pytest.raises(ValueError, match=r"must have shape \(b, 2, h, w\) .*, got \(1, 4, 4, 4\)"):
        prior.denoise(torch.ones(1, 4, 4, 4, dtype=torch.complex64), 0.1)


def test_training() -> None:
    """The loss of complex images is that of their parts."""
    prior, clean, noise = complex_prior().double(), images(3, 1), images(3, 2)
    sigma = torch.tensor([0.05, 0.3, 2.0], dtype=torch.float64)
    level = sigma.reshape(-1, 1, 1, 1)
    error = prior.denoise(clean + level * noise, sigma) - clean
    weighted = prior.loss_weight(sigma).reshape(-1, 1, 1, 1) * error.abs().square()
    loss = denoising_score_matching(prior, clean, sigma, noise)
    torch.testing.assert_close(loss, weighted.mean())
