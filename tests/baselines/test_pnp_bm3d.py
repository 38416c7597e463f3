"""BM3D as a prior, and plug-and-play with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore.baselines.bm3d_prior import Bm3dPrior, denoised
from invscore.baselines.pnp_bm3d import pnp_bm3d
from invscore.baselines.wiener import wiener
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.hqs import hqs
from invscore.operators import Identity, Inpainting
from invscore.operators.camera import HighDynamicRange
from invscore.rng import SampleRNG

bm3d = pytest.importorskip("bm3d")

Measure = Callable[..., InverseProblem]
Rms = Callable[[Tensor, Tensor], float]


def noise_like(x: Tensor, seed: int = 0) -> Tensor:
    return torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast denoiser in the place of BM3D, which takes half a second for the smallest image."""
    monkeypatch.setattr(bm3d, "bm3d", lambda image, sigma: image / (1 + sigma**2))
    monkeypatch.setattr(bm3d, "bm3d_rgb", lambda image, sigma: image[..., ::-1] / (1 + sigma))


@pytest.mark.usefixtures("stand_in")
def test_each_image_has_its_own_level() -> None:
    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = Bm3dPrior().denoise(x, torch.tensor([0.5, 2.0]))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, x / torch.tensor([1.25, 5]).reshape(2, 1, 1, 1))
    torch.testing.assert_close(Bm3dPrior().denoise(x, 2.0), x / 5)


@pytest.mark.usefixtures("stand_in")
def test_channels_and_parts() -> None:
    x = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Bm3dPrior().denoise(x, 1.0), x.flip(1) / 2)
    torch.testing.assert_close(Bm3dPrior().denoise(x[:, :2], 1.0), x[:, :2] / 2)
    z = torch.complex(x[:, :1], x[:, 1:2])
    torch.testing.assert_close(Bm3dPrior().denoise(z, 2.0), z / 5)


def test_colours_share_their_blocks(image: Tensor, rms: Rms) -> None:
    colours = image.float() * torch.tensor([1.0, 0.8, 0.6]).reshape(1, 3, 1, 1)
    noisy = colours + 0.1 * noise_like(colours)
    together = Bm3dPrior().denoise(noisy, 0.1)
    apart = torch.stack([denoised(noisy[0, k : k + 1], 0.1)[0] for k in range(3)])[None]
    assert rms(together, colours) < 0.95 * rms(apart, colours)


@pytest.mark.usefixtures("stand_in")
def test_it_is_hqs(image: Tensor, measure: Measure) -> None:
    problem = measure(Inpainting.random((1, 32, 32), keep=0.4), image)
    *_, last = hqs(
        problem, Bm3dPrior(), SampleRNG([(0,)]), steps=2, lam=0.5, sigma_max=0.1, sigma_min=0.05
    )
    found = pnp_bm3d(problem, steps=2, lam=0.5, sigma_max=0.1, sigma_min=0.05)
    torch.testing.assert_close(found, last.x, atol=1e-5, rtol=0)


def test_better_than_the_wiener_filter(image: Tensor, measure: Measure, rms: Rms) -> None:
    problem = measure(Inpainting.random((1, 32, 32), keep=0.3), image)
    assert rms(pnp_bm3d(problem, steps=6), image) < 0.85 * rms(wiener(problem), image)


def test_complex_images(image: Tensor, measure: Measure, rms: Rms) -> None:
    turned = image * torch.polar(torch.ones(()).double(), torch.tensor(0.7).double())
    noisy = measure(Identity((1, 32, 32), complex=True), turned, 0.1)
    assert rms(pnp_bm3d(noisy, steps=2), turned) < 0.8 * rms(noisy.y, turned)


def test_nonlinear_problems(image: Tensor, measure: Measure, rms: Rms) -> None:
    clipped = measure(HighDynamicRange((1, 32, 32)), image, 0.1)
    assert rms(pnp_bm3d(clipped, steps=3), image) < 0.5 * rms(clipped.y, image)


def test_levels_are_positive() -> None:
    problem = InverseProblem(Identity((1, 8, 8)), torch.zeros(1, 1, 8, 8), GaussianNoise(0.1))
    with pytest.raises(ValueError, match="`sigma_min` must be a positive number, got 0"):
        pnp_bm3d(problem, sigma_min=0)
