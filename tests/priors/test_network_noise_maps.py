"""Network priors that denoise noise that differs between pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.networks import UNet, build_network
from invscore.networks.noise_maps import LocalFilm
from invscore.operators import Blur, Inpainting, LinearOperator
from invscore.priors import GaussianPrior, NetworkPrior, check_prior, load_prior
from invscore.priors.noise_covariance import Basis, NoiseCovariance
from invscore.priors.tiled import Tiled

F64 = torch.float64
ARCHITECTURE: dict[str, Any] = {
    "name": "unet",
    "widths": [4, 8],
    "blocks": 1,
    "embedding": 8,
    "noise_maps": True,
}
MEAN, SPREAD = 0.4, 0.3


class Silent(nn.Module):
    """F = 0, and remembers what it was given: D is that of independent Gaussian pixels."""

    noise_maps = True

    def forward(self, x: Tensor, noise: Tensor, relative: Tensor | None = None) -> Tensor:
        self.given = x, noise, relative
        return torch.zeros_like(x)


def silent(*, complex: bool = False, channels: int = 1) -> NetworkPrior:
    return NetworkPrior(Silent(), channels=channels, mean=MEAN, sigma_data=SPREAD, complex=complex)


def learned(channels: int = 1, *, complex: bool = False) -> NetworkPrior:
    """A network that heeds the image, its level and the map."""
    torch.manual_seed(3)
    architecture = {**ARCHITECTURE, "channels": channels * (2 if complex else 1)}
    network = build_network(**architecture)
    assert isinstance(network, UNet)
    nn.init.normal_(network.head.weight, std=0.3)
    for module in network.modules():
        if isinstance(module, (nn.Linear, LocalFilm)):
            nn.init.normal_(module.weight, std=0.3)
    metadata = {"architecture": architecture}
    prior = NetworkPrior(network, channels=channels, complex=complex, metadata=metadata)
    return prior.double().requires_grad_(False)


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def levels(*shape: int, seed: int = 0) -> Tensor:
    """Standard deviations from 0.01 to 5."""
    return 0.01 * 500 ** rand(*shape, seed=seed)


def of_pixels(deviations: Tensor) -> NoiseCovariance:
    return NoiseCovariance(Basis("pixels"), deviations**2)


@pytest.mark.parametrize("complex", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_contract(channels: int, complex: bool) -> None:
    prior = learned(channels, complex=complex)
    assert prior.noise_kinds == {"pixels"}
    dtype = torch.complex128 if complex else F64
    check_prior(prior, (channels, 8, 6), dtype=dtype).raise_if_failed()


@pytest.mark.parametrize("images", [1, 3])
def test_coefficients_are_those_of_each_pixel(images: int) -> None:
    """With F = 0 in EDM's parametrisation, D is exact for N(m, s^2 I)."""
    prior, exact = silent(), GaussianPrior(torch.full((1, 4, 5), MEAN, dtype=F64), SPREAD**2)
    x, noise = 2 * rand(3, 1, 4, 5), of_pixels(levels(images, 1, 4, 5, seed=1))
    torch.testing.assert_close(prior.denoise_with(x, noise), exact.denoise_with(x, noise))


def test_the_network_is_told_level_and_map() -> None:
    prior, deviations = silent(channels=2), levels(3, 2, 4, 5)
    x = rand(3, 2, 4, 5, seed=1)
    prior.denoise_with(x, of_pixels(deviations))
    shown, noise, relative = prior.network.given  # type: ignore[misc]
    torch.testing.assert_close(shown, (x - MEAN) / (deviations**2 + SPREAD**2).sqrt())
    coordinates = deviations.log() / 4
    torch.testing.assert_close(noise, coordinates.mean(dim=(1, 2, 3)))
    torch.testing.assert_close(noise[:, None, None, None] + relative, coordinates)


def test_beyond_its_levels_it_is_told_the_nearest() -> None:
    prior = silent()
    deviations = torch.tensor([1e-4, 1e3], dtype=F64).reshape(1, 1, 1, 2)
    prior.denoise_with(rand(1, 1, 1, 2), of_pixels(deviations))
    _, noise, relative = prior.network.given  # type: ignore[misc]
    ends = torch.tensor([prior.sigma_min, prior.sigma_max], dtype=F64).log() / 4
    torch.testing.assert_close((noise + relative).flatten(), ends)


def test_both_parts_of_a_complex_pixel_have_its_noise() -> None:
    prior, deviations = silent(complex=True, channels=2), levels(1, 2, 3, 3)
    x = torch.complex(rand(1, 2, 3, 3), rand(1, 2, 3, 3, seed=1))
    found = prior.denoise_with(x, of_pixels(deviations))
    assert found.dtype == x.dtype
    gain = SPREAD**2 / (SPREAD**2 + deviations**2)
    torch.testing.assert_close(found, MEAN + gain * (x - MEAN))
    _, _, relative = prior.network.given  # type: ignore[misc]
    assert torch.equal(relative[:, 0], relative[:, 1])
    assert not torch.equal(relative[:, 1], relative[:, 2])


def test_other_noise_is_refused() -> None:
    noise = NoiseCovariance(Basis("frequencies"), torch.ones(1, 1, 4, 4, dtype=F64))
    with pytest.raises(ValueError, match="the noise must be white for a NetworkPrior"):
        learned().denoise_with(rand(1, 1, 4, 4), noise)
    with pytest.raises(ValueError, match="must have shape"):
        learned().denoise_with(rand(1, 2, 4, 4), of_pixels(levels(1, 2, 4, 4)))
    plain = NetworkPrior(nn.Identity(), channels=1)
    operator, blank = Inpainting.random((1, 4, 4), 0.5), torch.zeros(1, 1, 4, 4)
    problem = InverseProblem(operator, blank, GaussianNoise(0.1))
    with pytest.raises(ValueError, match="white noise alone"):
        reconstruct(problem, plain, method="exact_score", steps=2)


def test_a_file_tells_what_it_knows(tmp_path: Path) -> None:
    prior = learned()
    prior.save(tmp_path / "maps.safetensors", torch.float64)
    loaded = load_prior(tmp_path / "maps.safetensors")
    assert loaded.noise_kinds == {"pixels"}
    x, noise = rand(2, 1, 8, 8), of_pixels(levels(2, 1, 8, 8))
    found, expected = loaded.denoise_with(x, noise), prior.denoise_with(x, noise)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert not load_prior("photos-gray").noise_kinds


def test_tiles_are_told_their_part() -> None:
    prior, x = learned(), rand(2, 1, 24, 20)
    tiled = Tiled(prior, 8, 4)
    deviations = levels(1, 1, 24, 20)
    found = tiled.denoise_with(x, of_pixels(deviations))
    window, inner = slice(4, 20), slice(4, 12)
    there = (..., window, window)
    expected = prior.denoise_with(x[there], of_pixels(deviations[there]))[..., inner, inner]
    torch.testing.assert_close(found[..., 8:16, 8:16], expected)
    # White noise is the same in all of them.
    whole = prior.denoise(x, 0.3)
    known = prior.footprint
    assert known is not None
    exact = Tiled(prior, 8, -(-known.reach // known.stride) * known.stride)
    white = of_pixels(torch.full_like(deviations, 0.3))
    torch.testing.assert_close(exact.denoise_with(x, white), whole)


class Weights(LinearOperator):
    """Pixels times weights, of real or of complex images."""

    def __init__(self, weights: Tensor, *, complex: bool) -> None:
        self.in_shape = self.out_shape = (1, *weights.shape)
        self.in_complex = self.out_complex = complex
        self.weights = weights

    def matvec(self, x: Tensor) -> Tensor:
        return self.weights * x

    def rmatvec(self, y: Tensor) -> Tensor:
        return self.weights * y


@pytest.mark.parametrize("complex", [False, True])
def test_exact_score_draws_from_the_posterior(complex: bool) -> None:
    """Independent Gaussian pixels, some measured: means and deviations within 4.5 standard errors
    of their own at 2000 samples, and the step's error."""
    prior = silent(complex=complex)
    mask = torch.tensor([[1.0, 0.0, 0.3], [0.0, 1.0, 0.0]])
    operator, noise = Weights(mask, complex=complex), GaussianNoise(0.2)
    truth = torch.full((1, 1, 2, 3), 0.8, dtype=torch.complex64 if complex else torch.float32)
    problem = InverseProblem(operator, simulate(operator, truth, noise, 1), noise)
    count = 2000
    result = reconstruct(
        problem, prior, method="exact_score", samples=count, scale=1.0, antithetic=False
    )
    precision = 1 / SPREAD**2 + mask**2 / 0.2**2
    back = operator.rmatvec(problem.y)[0, 0]
    mean, std = (MEAN / SPREAD**2 + back / 0.2**2) / precision, precision**-0.5
    samples = result.samples[:, 0, 0]
    parts = torch.view_as_real(samples).unbind(-1) if complex else [samples]
    means = torch.view_as_real(mean).unbind(-1) if complex else [mean]
    for part, expected in zip(parts, means, strict=True):
        assert ((part.mean(0) - expected).abs() < (4.5 / count**0.5 + 0.01) * std).all()
        assert ((part.std(0) / std - 1).abs() < 4.5 / (2 * count) ** 0.5 + 0.03).all()


def test_it_does_not_serve_what_mixes_pixels() -> None:
    shape = (1, 8, 8)
    operator = Blur.gaussian(1.0, shape, boundary="circular")
    y = torch.zeros(1, *shape)
    problem = InverseProblem(operator, y, GaussianNoise(0.1))
    with pytest.raises(ValueError, match="noise that differs between pixels"):
        reconstruct(problem, silent(), method="exact_score", steps=2)
