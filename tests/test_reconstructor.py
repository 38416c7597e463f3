"""A prior as a model of deepinv that restores: its own physics, ours inside, its layout out."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from invscore import GaussianNoise, InverseProblem, load_prior, reconstruct
from invscore.operators import MRI, Blur
from invscore.priors import DenoiserPrior, GaussianPrior
from invscore.reconstructor import deepinv_reconstructor

deepinv = pytest.importorskip("deepinv")

NOISE = 0.1


def noisy(physics: object) -> object:
    physics.noise_model = deepinv.physics.GaussianNoise(NOISE)  # type: ignore[attr-defined]
    return physics


def test_the_posterior_mean_of_a_gaussian() -> None:
    """Denoising of white images is in closed form: y shrunk towards the mean."""
    shape = (1, 6, 6)
    prior = GaussianPrior(torch.full(shape, 0.5), 0.04)
    physics = noisy(deepinv.physics.Denoising())
    y = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    model = deepinv_reconstructor(prior, method="hqs", samples=1, lam=1.0, steps=200, scale=1.0)
    expected = 0.5 + 0.04 / (0.04 + NOISE**2) * (y - 0.5)
    torch.testing.assert_close(model(y, physics), expected, rtol=0, atol=0.02)


def test_it_is_what_reconstruct_gives() -> None:
    """The blur of deepinv, which its own kernel declares, and ours of the same kernel."""
    shape, kernel = (1, 16, 16), torch.tensor([[0.0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 8
    physics = noisy(deepinv.physics.BlurFFT(shape, filter=kernel[None, None]))
    prior, truth = load_prior("digits"), torch.rand(2, *shape)
    y = physics(truth)  # type: ignore[operator]
    given: dict[str, Any] = {"method": "diffpir", "samples": 2, "seed": 3, "steps": 6}
    model = deepinv_reconstructor(prior, **given)
    assert isinstance(model, deepinv.models.Reconstructor)
    samples = model.sample(y, physics)
    torch.testing.assert_close(model(y, physics), samples.mean(dim=0))
    torch.testing.assert_close(model.result(y, physics).samples, samples)
    problem = InverseProblem(Blur(kernel, shape), y, GaussianNoise(NOISE))
    ours = reconstruct(problem, prior, **given).samples
    torch.testing.assert_close(samples, ours, rtol=0, atol=1e-4)


def test_complex_images() -> None:
    mask = (torch.arange(16) % 2 == 0).float().expand(1, 2, 16, 16)
    physics = noisy(deepinv.physics.MRI(mask=mask, img_size=(2, 16, 16)))
    prior = load_prior("brain-mri")
    y = physics(torch.randn(1, 2, 16, 16) / 4)  # type: ignore[operator]
    model = deepinv_reconstructor(prior, method="diffpir", samples=2, steps=4, scale=1.0)
    restored = model(y, physics)
    assert restored.shape == (1, 2, 16, 16)
    operator = MRI(torch.arange(16) % 2 == 0, (1, 16, 16))
    ours = InverseProblem(operator, torch.complex(y[:, :1], y[:, 1:]), GaussianNoise(NOISE))
    expected = reconstruct(ours, prior, method="diffpir", samples=2, steps=4, scale=1.0).mean
    torch.testing.assert_close(restored[:, 0], expected.real[:, 0], rtol=0, atol=1e-4)
    torch.testing.assert_close(restored[:, 1], expected.imag[:, 0], rtol=0, atol=1e-4)


def test_noise_that_the_physics_does_not_tell() -> None:
    """Its own is taken, another that is given in its place, and else it is estimated."""
    prior = DenoiserPrior(
        lambda z, s: 0.5 + (z - 0.5) / (1 + 25 * s.reshape(-1, 1, 1, 1) ** 2),
        channels=1,
        sigma_min=0.01,
        sigma_max=5.0,
    )
    y = 0.5 + 0.3 * torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    physics = deepinv.physics.Denoising()
    physics.noise_model = deepinv.physics.UniformNoise(0.3)

    def level(**given: object) -> float:
        model = deepinv_reconstructor(prior, method="hqs", samples=1, steps=2, **given)  # type: ignore[arg-type]
        problem = model.result(y, physics).problem
        assert problem is not None
        return float(torch.as_tensor(problem.noise.sigma))

    assert level(noise=GaussianNoise(0.2)) == pytest.approx(0.2)
    assert 0.05 < level() < 0.4
    physics.noise_model = deepinv.physics.GaussianNoise(0.07)
    assert level() == pytest.approx(0.07)


def test_gray_priors_serve_colours_and_errors_are_sentences() -> None:
    physics = noisy(deepinv.physics.Denoising())
    model = deepinv_reconstructor(load_prior("digits"), method="diffpir", samples=1, steps=2)
    assert model(torch.rand(1, 3, 12, 12), physics).shape == (1, 3, 12, 12)
    with pytest.raises(ValueError, match="`physics` must be a deepinv"):
        model(torch.rand(1, 1, 12, 12), "blur")
    with pytest.raises(ValueError, match="unknown method"):
        deepinv_reconstructor(load_prior("digits"), method="magic")
    with pytest.raises(ValueError, match="has no option 'stpes'"):
        deepinv_reconstructor(load_prior("digits"), stpes=3)
