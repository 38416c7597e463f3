"""Networks of others in bounded memory: looked at, in exact tiles or in blended ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.networks import build_network
from invscore.operators import Blur
from invscore.priors import DenoiserPrior, NetworkPrior, Prior, fitted
from invscore.priors import receptive_field as looked_at
from invscore.priors.blended import Blended
from invscore.priors.fitted import fit_into_memory as fit
from invscore.priors.receptive_field import measured_extent
from invscore.priors.tiled import Tiled

SHAPE = (1, 200, 136)


class Convolutions(nn.Module):
    """What another code might bring: sees 8 pixels far, after a halving 12; or the mean of all."""

    def __init__(self, whole: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, 8, 5, padding=2)
        self.down = nn.Conv2d(8, 8, 2, stride=2)
        self.inner = nn.Conv2d(8, 8, 5, padding=2)
        self.up = nn.ConvTranspose2d(8, 1, 2, stride=2)
        self.whole = whole

    def forward(self, z: Tensor, s: Tensor) -> Tensor:
        seen = self.up(torch.tanh(self.inner(self.down(torch.tanh(self.first(z))))))
        if self.whole:
            seen = seen - seen.mean(dim=(2, 3), keepdim=True)
        return z - s.reshape(-1, 1, 1, 1) * seen


def foreign(*, whole: bool = False, size: int | None = None) -> DenoiserPrior:
    network = Convolutions(whole).double().requires_grad_(False)
    return DenoiserPrior(
        network,
        channels=1,
        sigma_min=0.01,
        sigma_max=5.0,
        multiple=2,
        size=size,
        overlap=size and 8,
    )


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tiles and strips of a size for tests."""
    monkeypatch.setattr(fitted, "SIZES", (64, 32))
    monkeypatch.setattr(looked_at, "LENGTH", 256)
    monkeypatch.setattr(looked_at, "WIDTH", 16)
    monkeypatch.setattr(looked_at, "STRIDE", 16)
    yield
    looked_at._known.clear()


def images() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(2, *SHAPE, dtype=torch.float64, generator=generator)


def test_how_far_a_network_sees_is_found() -> None:
    extent = measured_extent(foreign(), 2)
    assert extent.footprint is not None
    # Beyond a block of its strides: 2 cells of 2 pixels, and 2 by the first.
    assert extent.footprint.reach == 6
    assert extent.footprint.stride == 16
    assert measured_extent(foreign(whole=True), 2).footprint is None


def test_our_own_networks_are_found_as_they_say() -> None:
    torch.manual_seed(0)
    network = build_network(name="unet", channels=1, widths=[8, 16], blocks=1, embedding=16)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.2)
    prior = NetworkPrior(network.requires_grad_(False), channels=1)
    said, found = prior.footprint, measured_extent(prior)
    assert said is not None
    assert found.footprint is not None
    assert said.reach - said.stride <= found.footprint.reach <= said.reach
    assert 0.4 < found.bytes_per_pixel / said.bytes_per_pixel < 2.5


def test_tiles_of_others_networks_are_exact() -> None:
    prior, x = foreign(), images()
    tiled = fit(prior, SHAPE, free=2e6, images=2)
    assert type(tiled) is Tiled
    assert tiled.margin == 16
    torch.testing.assert_close(tiled.denoise(x, 0.4), prior.denoise(x, 0.4))


def test_what_sees_everything_is_blended() -> None:
    prior, x = foreign(whole=True), images()
    blended = fit(prior, SHAPE, free=4e6, images=2)
    assert isinstance(blended, Blended)
    whole = prior.denoise(x, 0.4)
    found = blended.denoise(x, 0.4)
    seams = Tiled(prior, blended.size, 0).denoise(x, 0.4)
    # Means of tiles are not those of the image, and differ from tile to tile.
    assert 0 < (found - whole).square().mean() < 0.5 * (seams - whole).square().mean()
    along = (found - whole).diff(dim=-1).abs().max()
    assert along < 0.5 * (seams - whole).diff(dim=-1).abs().max()


def test_weights_of_tiles_sum_to_one_and_derivatives_are_those_of_the_blend() -> None:
    class Same(Prior):
        mean, variance = 0.0, 1.0

        def denoise(self, x: Tensor, sigma: float | Tensor) -> Tensor:  # noqa: ARG002
            return x

    x = images()
    for size, overlap in [(64, 16), (48, 47), (50, 0), (300, 20), (36, 30)]:
        torch.testing.assert_close(Blended(Same(), size, overlap).denoise(x, 1.0), x)
    blended = Blended(foreign(whole=True), 64, 16, 2)
    x = images()[:1, :, :90, :70]
    u = torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(2))
    leaf = x.clone().requires_grad_()
    torch.autograd.backward(blended.denoise(leaf, 0.4), u)
    torch.testing.assert_close(blended.pullback(x, 0.4)[1](u), leaf.grad)


def test_what_fits_and_what_has_one_size_stays_as_it_is() -> None:
    prior = foreign()
    assert fit(prior, SHAPE, free=1e10) is prior
    assert not looked_at._known  # nothing was evaluated
    assert fit(prior, SHAPE, free=1e8) is prior
    own = foreign(size=32)
    assert fit(own, SHAPE, free=1e5) is own


def test_memory_decides_how_a_measurement_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invscore.driver.room", lambda *_: 1e6)
    seen: list[tuple[int, ...]] = []
    network = Convolutions().requires_grad_(False)
    network.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape[-2:])))
    prior = DenoiserPrior(network, channels=1, sigma_min=0.01, sigma_max=5.0, multiple=2)
    operator, noise = Blur.gaussian(1.0, SHAPE), GaussianNoise(0.05)
    y = simulate(operator, images()[:1].double(), noise)
    result = reconstruct(InverseProblem(operator, y, noise), prior, steps=2)
    assert SHAPE[1:] not in seen
    monkeypatch.setattr("invscore.driver.room", lambda *_: 1e12)
    whole = reconstruct(InverseProblem(operator, y, noise), prior, steps=2)
    assert seen[-1] == SHAPE[1:]
    assert (result.mean - whole.mean).abs().max() < 1e-6


def test_less_memory_than_images_take_is_refused() -> None:
    problem = InverseProblem(Blur.gaussian(1.0, SHAPE), torch.rand(2, *SHAPE), GaussianNoise(0.05))
    with pytest.raises(ValueError, match=r"`most_memory` .* at least 653 MB, of which .* 3.05 MB"):
        reconstruct(problem, foreign(), steps=2, most_memory=650.5e6)
    with pytest.raises(ValueError, match=r"must leave \S+ MB for .* smallest tile .*, got 4.95 kB"):
        reconstruct(problem, foreign(), steps=2, most_memory=650e6 + 14 * 4 * 2 * 27200 + 4950)


@pytest.mark.parametrize("whole", [False, True])
def test_progress_is_told_after_each_tile(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of exact tiles and of blended ones: evenly to the end of each step."""
    monkeypatch.setattr("invscore.driver.room", lambda *_: 1e6)
    network = Convolutions(whole).requires_grad_(False)
    prior = DenoiserPrior(network, channels=1, sigma_min=0.01, sigma_max=5.0, multiple=2)
    problem = InverseProblem(Blur.gaussian(1.0, SHAPE), torch.rand(1, *SHAPE), GaussianNoise(0.05))
    told: list[float] = []
    steps: list[int] = []
    reconstruct(
        problem,
        prior,
        method="diffpir",
        steps=2,
        on_step=lambda done, total: steps.append(done),
        on_tile=lambda done, total: told.append(done),
    )
    assert steps == [1, 2]
    each = len(told) // 2
    assert each > 1
    assert told == pytest.approx([k / each for k in range(1, 2 * each + 1)])


def test_an_overlap_that_makes_no_sense() -> None:
    with pytest.raises(ValueError, match=r"`overlap` must lie in \[0, 31\], got 32"):
        Blended(foreign(), 32, 32)


def test_a_function_of_one_size_is_asked_for_no_other() -> None:
    """What memory it takes is not known then; that is no error."""

    def shrink(z: Tensor, s: Tensor) -> Tensor:
        mean = torch.linspace(0, 1, 32 * 32).reshape(32, 32)
        return mean + (z - mean) / (1 + 16 * s.reshape(-1, 1, 1, 1) ** 2)

    prior = DenoiserPrior(shrink, channels=1, sigma_min=0.01, sigma_max=5.0)
    assert fit(prior, (1, 32, 32), free=1e4) is prior
