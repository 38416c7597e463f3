"""Images from a prior: seeds, batches, counts and errors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.priors import GaussianPrior, Prior
from invscore.sampling import SAMPLERS, NotFiniteError, sample

F64 = torch.float64
COVARIANCE = torch.tensor([[0.5, 0.3], [0.3, 0.4]], dtype=F64)
PRIOR = GaussianPrior(torch.tensor([3.0, -1.0], dtype=F64), COVARIANCE)


def draw(sampler: str, n: int, **options: Any) -> Tensor:
    if sampler != "adaptive":
        options = {"steps": 6, **options}
    return sample(PRIOR, (2,), n=n, sampler=sampler, dtype=F64, **options).samples


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_an_image_does_not_depend_on_its_batch(sampler: str) -> None:
    together = draw(sampler, 5, seed=2)
    torch.testing.assert_close(draw(sampler, 5, seed=2, batch_size=2), together)
    torch.testing.assert_close(draw(sampler, 1, seed=4), together[2:3])
    assert len({tuple(image.tolist()) for image in together}) == 5


@pytest.mark.parametrize(
    ("sampler", "evaluations"),
    [("ddpm", 7), ("ddim", 7), ("euler", 7), ("heun", 13), ("dpm++2m", 7), ("pc", 13)],
)
def test_evaluations_are_counted_for_each_image(sampler: str, evaluations: int) -> None:
    drawn = sample(PRIOR, (2,), n=5, batch_size=2, sampler=sampler, dtype=F64, steps=7)
    assert drawn.evaluations == evaluations
    assert drawn.options["steps"] == 7


def test_the_prior_is_sampled_from_pure_noise() -> None:
    """Mean, variances and covariance; the flow is that of the closed form."""
    n = 4000
    x = sample(PRIOR, (2,), n=n, sampler="adaptive", dtype=F64, rtol=1e-4, atol=1e-4).samples
    deviations = COVARIANCE.diagonal().sqrt()
    assert bool(((x.mean(dim=0) - PRIOR.mean).abs() < 5 * deviations / n**0.5).all())
    errors = (torch.cov(x.T) - COVARIANCE).abs() / (deviations[:, None] * deviations)
    assert float(errors.max()) < 5 * (2 / n) ** 0.5


def test_generation_starts_with_the_variance_of_the_noisy_prior() -> None:
    """Where the first level is not large, the variance of the images counts."""
    prior = GaussianPrior(torch.full((1,), 3.0, dtype=F64), 0.5)
    prior.sigma_max = 1.0
    n = 4000
    x = sample(prior, (1,), n=n, sampler="adaptive", dtype=F64, rtol=1e-5, atol=1e-5).samples
    assert abs(float(x.mean()) - 3) < 5 * (0.5 / n) ** 0.5
    assert abs(float(x.var()) / 0.5 - 1) < 5 * (2 / n) ** 0.5


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    sample(PRIOR, (2,), n=3, batch_size=2, dtype=F64, steps=4, on_step=lambda *a: told.append(a))
    assert told == [(done, 8) for done in range(1, 9)]


def test_progress_of_a_sampler_that_chooses_its_steps() -> None:
    """In parts of the way in ln(sigma), told as the denoiser comes to them."""
    told: list[int] = []
    reached: list[float] = []

    class Watched(White):
        def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
            level = torch.as_tensor(sigma).to(x)
            reached.append(float(level.max()))
            return x / (1 + level.reshape(-1, 1) ** 2)

    def on_step(done: int, total: int) -> None:
        told.append(done)
        assert total == 200
        if done < 100:
            assert reached[-1] <= 160 * (0.008 / 160) ** (done / 99) * (1 + 1e-6)

    sample(Watched(), (2,), n=3, batch_size=2, dtype=F64, sampler="adaptive", on_step=on_step)
    assert told == list(range(1, 201))


class White(Prior):
    """White noise of variance 1 in each part of a complex image."""

    mean, variance = 0.0, 1.0

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        assert isinstance(sigma, float)
        return x / (1 + sigma**2)


class Broken(White):
    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:  # noqa: ARG002
        return x * float("nan")


def test_complex_images() -> None:
    x = sample(White(), (2000,), dtype=torch.complex64, steps=40).samples
    assert x.dtype == torch.complex64
    assert abs(float(x.real.var()) - 1) < 0.15
    assert abs(float(x.imag.var()) - 1) < 0.15


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "`n` must be at least 1, got 0"),
        ({"steps": 0}, r"`steps` must lie in \[1, 1000000\], got 0"),
        ({"batch_size": 0}, "`batch_size` must be at least 1"),
        ({"seed": -1}, "`seed` must be at least 0, got -1"),
        ({"sampler": "magic"}, "unknown sampler 'magic'"),
        ({"eta": 0.5}, "sampler 'heun' has no option 'eta'"),
        ({"sampler": "ddim", "eta": -1.0}, r"`eta` must lie in \[0, 1\], got -1.0"),
        ({"sampler": "ddim", "eta": 1.5}, r"`eta` must lie in \[0, 1\], got 1.5"),
        ({"sampler": "pc", "snr": -0.16}, r"`snr` must lie in \(0, 100\], got -0.16"),
        (
            {"sampler": "pc", "corrections": -3},
            r"`corrections` must lie in \[0, 1000\], got -3",
        ),
        ({"sampler": "adaptive", "rtol": 0.0}, r"`rtol` must lie in \(0, 1\], got 0.0"),
        ({"sampler": "adaptive", "atol": float("nan")}, "`atol` must be a number, got nan"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sample(PRIOR, (2,), dtype=F64, **options)


@pytest.mark.parametrize("sampler", ["heun", "adaptive"])
def test_states_that_are_not_finite(sampler: str) -> None:
    with pytest.raises(NotFiniteError, match=f"sampler '{sampler}' diverged to NaN or infinity"):
        sample(Broken(), (2,), sampler=sampler)


def test_what_does_not_fit_is_refused_at_once() -> None:
    prior = GaussianPrior(torch.zeros(4), torch.eye(4))
    with pytest.raises(ValueError, match=r"would need .* TB of memory, .* are free: "):
        sample(prior, (4,), n=10**12)
