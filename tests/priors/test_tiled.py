"""Tiles: the result of the whole image, in the memory of one tile."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import NetworkPrior
from invscore.networks.unet import UNet
from invscore.priors.base import Prior
from invscore.priors.channelwise import Channelwise
from invscore.priors.fitted import fit_into_memory
from invscore.priors.grayscale import Grayscale
from invscore.priors.tiled import Tiled

SHAPE = (1, 67, 90)


def make(channels: int = 1, attention: int = 0) -> NetworkPrior:
    """Weights that carry as far as the network can see."""
    torch.manual_seed(0)
    network = UNet(channels=channels, widths=(4, 8, 8), blocks=1, attention=attention)
    for name, weight in network.named_parameters():
        if "film" not in name and "embed" not in name:
            torch.nn.init.normal_(weight, std=0.4)
    prior = NetworkPrior(network, channels=channels)
    return prior.double().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def prior() -> NetworkPrior:
    return make()


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.rand(2, *SHAPE, dtype=torch.float64)


def test_reach_is_how_far_a_pixel_carries(prior: NetworkPrior) -> None:
    assert prior.footprint is not None
    centre = 80
    moved = torch.zeros(1, 1, 1, 2 * centre, dtype=torch.float64)
    moved[..., centre] = 1
    change = (prior.denoise(moved, 0.3) - prior.denoise(0 * moved, 0.3)).abs().flatten()
    seen = change.nonzero().flatten()
    assert max(centre - int(seen.min()), int(seen.max()) - centre) <= prior.footprint.reach
    farther = make(attention=1)
    assert farther.footprint is None


@pytest.mark.parametrize("size", [8, 16, 128])
def test_tiles_with_enough_margin_are_exact(prior: NetworkPrior, x: Tensor, size: int) -> None:
    tiled = Tiled(prior, size, 28)
    sigma = torch.tensor([0.1, 0.7])
    torch.testing.assert_close(tiled.denoise(x, sigma), prior.denoise(x, sigma))
    denoised, pull = tiled.pullback(x, sigma)
    whole, whole_pull = prior.pullback(x, sigma)
    u = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(denoised, whole)
    torch.testing.assert_close(pull(u), whole_pull(u))
    torch.testing.assert_close(tiled.score(x, sigma), prior.score(x, sigma))


def test_too_small_a_margin_leaves_seams(prior: NetworkPrior, x: Tensor) -> None:
    seams = Tiled(prior, 16, 4).denoise(x, 0.3) - prior.denoise(x, 0.3)
    assert float(seams.abs().max()) > 1e-3


def test_no_tile_is_larger_than_it_may_be(prior: NetworkPrior, x: Tensor) -> None:
    seen = []

    class Watched(Prior):
        mean, variance = 0.5, 1.0

        def denoise(self, x: Tensor, sigma: object) -> Tensor:  # noqa: ARG002
            seen.append(x.shape[-2] * x.shape[-1])
            return x

    assert torch.equal(Tiled(Watched(), 16, 8).denoise(x, 0.1), x)
    assert max(seen) <= 32 * 32
    assert prior.footprint is not None
    each = prior.footprint.bytes_per_pixel
    assert fit_into_memory(prior, (1, 4096, 4096), each * 4096**2) is prior
    for free, size in ((each * 2600**2, 2048), (each * 600**2, 512), (0.0, 128)):
        found = fit_into_memory(prior, (1, 4096, 4096), free)
        assert isinstance(found, Tiled)
        assert (found.size, found.margin) == (size, 28)
        assert size == 128 or each * (size + 56) ** 2 <= free
    found = fit_into_memory(prior, (1, 4096, 4096), each * 600**2, images=4, derivatives=True)
    assert isinstance(found, Tiled)
    assert found.size == 128


def test_what_wraps_a_prior_stays_outside(x: Tensor) -> None:
    colour = x[:, :, :40, :40].expand(2, 3, 40, 40)
    found = fit_into_memory(Channelwise(make()), (3, 400, 400), 1e5)
    assert isinstance(found, Channelwise)
    assert isinstance(found.prior, Tiled)
    torch.testing.assert_close(found.denoise(colour, 0.2), Channelwise(make()).denoise(colour, 0.2))
    gray = fit_into_memory(Grayscale(make(3)), (1, 400, 400), 1e5)
    assert isinstance(gray, Grayscale)
    assert isinstance(gray.prior, Tiled)
    torch.testing.assert_close(gray.denoise(x, 0.2), Grayscale(make(3)).denoise(x, 0.2))


def test_what_makes_no_sense(prior: NetworkPrior) -> None:
    with pytest.raises(ValueError, match="`size` must be at least 1 and `margin` at least 0"):
        Tiled(prior, 0, 8)
    assert fit_into_memory(prior, (7,), 0.0) is prior
