"""The log-likelihood against densities in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.priors import GaussianMixturePrior, GaussianPrior, Prior
from invscore.rng import SampleRNG
from invscore.sampling import LogLikelihood, NotFiniteError, dequantise, log_likelihood

F64 = torch.float64
SHAPE = (1, 2, 3)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


FACTOR = normal(6, 6)
GAUSSIAN = GaussianPrior(normal(*SHAPE, seed=1), FACTOR @ FACTOR.T / 6)
MIXTURE = GaussianMixturePrior(3 * normal(4, *SHAPE, seed=2), 0.3)
both = pytest.mark.parametrize("prior", [GAUSSIAN, MIXTURE], ids=["gaussian", "mixture"])


@both
def test_exact_trace_against_the_closed_form(prior: Any) -> None:
    x = prior.sample(6, 3)
    found = log_likelihood(prior, x)
    torch.testing.assert_close(found.nats, prior.log_prob(x), rtol=0.01, atol=0)
    smoothed = prior.log_prob(x, 0.008 * prior.variance**0.5)
    torch.testing.assert_close(found.nats, smoothed, rtol=0, atol=0.006)
    assert found.dimension == 6
    assert bool((found.stderr == 0).all())
    assert 40 < float(found.evaluations.double().mean()) < 130


@both
def test_the_density_is_that_at_sigma_min(prior: Any) -> None:
    x = prior.sample(4, 3) + 0.5
    found = log_likelihood(prior, x, sigma_min=0.6, tolerance=1e-6)
    expected = prior.log_prob(x, 0.6)
    assert float((expected - prior.log_prob(x)).abs().min()) > 0.05
    torch.testing.assert_close(found.nats, expected, rtol=0, atol=1e-3)


@both
@pytest.mark.parametrize(("steps", "error"), [(20, 2e-3), (40, 1e-3)])
def test_equal_steps(prior: Any, steps: int, error: float) -> None:
    x = prior.sample(4, 3)
    found = log_likelihood(prior, x, steps=steps)
    expected = prior.log_prob(x, 0.008 * prior.variance**0.5)
    torch.testing.assert_close(found.nats, expected, rtol=0, atol=error)
    assert found.evaluations.tolist() == [6 * steps + 1] * 4


@both
def test_hutchinson_is_unbiased_and_knows_its_error(prior: Any) -> None:
    x = prior.sample(12, 3)
    exact = log_likelihood(prior, x).nats
    found = log_likelihood(prior, x, probes=30)
    t = (found.nats - exact) / found.stderr
    assert float(t.abs().max()) < 4.5
    assert abs(float(t.mean())) < 4 / 12**0.5
    assert 0.4 < float(t.std()) < 1.8
    assert log_likelihood(prior, x, probes=1).stderr.isnan().all()


def test_probes_of_signs_are_exact_for_diagonal_covariances() -> None:
    """Rademacher probes square to 1, Gaussian ones would not."""
    prior = GaussianPrior(torch.zeros(4, dtype=F64), torch.tensor([0.1, 0.5, 1.0, 2.0], dtype=F64))
    x = prior.sample(3, 1)
    exact, found = (log_likelihood(prior, x, probes=p, steps=9) for p in (None, 2))
    torch.testing.assert_close(found.nats, exact.nats)
    assert float(found.stderr.max()) < 1e-12


@pytest.mark.parametrize("options", [{}, {"probes": 2}, {"probes": 2, "steps": 10}])
def test_an_image_does_not_depend_on_its_batch(options: dict[str, Any]) -> None:
    """The first image is near a mode and arrives before the last, whose probes stay its own."""
    x = torch.stack([MIXTURE.means[0], MIXTURE.means[0] + 3])
    together = log_likelihood(MIXTURE, x, rng=7, **options)
    alone = log_likelihood(MIXTURE, x[1:], rng=8, **options)
    torch.testing.assert_close(alone.nats, together.nats[1:], rtol=1e-10, atol=0)
    assert alone.evaluations == together.evaluations[1]
    assert "steps" in options or together.evaluations[0] < together.evaluations[1]


@pytest.mark.parametrize(("tolerance", "error"), [(1e-1, 10.0), (1e-2, 1.0), (1e-3, 0.1)])
def test_many_numbers_do_not_dilute_the_error_of_the_density(
    tolerance: float, error: float
) -> None:
    """Most of the variances are far below the noise at which the path begins."""
    variances = 10.0 / torch.arange(1, 257, dtype=F64) ** 3
    prior = GaussianPrior(torch.zeros(256, dtype=F64), variances)
    x = prior.sample(2, 0)
    found = log_likelihood(prior, x, probes=1, tolerance=tolerance)
    expected = prior.log_prob(x, 0.008 * prior.variance**0.5)
    torch.testing.assert_close(found.nats, expected, rtol=0, atol=error)


def test_the_density_has_its_tolerance_where_the_image_stays() -> None:
    """At the mean of a Gaussian the flow is at rest, and only ln p can err."""
    found = log_likelihood(GAUSSIAN, GAUSSIAN.mean[None]).nats
    expected = GAUSSIAN.log_prob(GAUSSIAN.mean[None], 0.008 * GAUSSIAN.variance**0.5)
    torch.testing.assert_close(found, expected, rtol=0, atol=0.006)


@pytest.mark.parametrize("options", [{}, {"steps": 7}])
def test_progress_is_told(options: dict[str, Any]) -> None:
    told: list[tuple[int, int]] = []
    log_likelihood(GAUSSIAN, GAUSSIAN.sample(2), on_step=lambda *a: told.append(a), **options)
    total = options.get("steps", 100)
    assert told == [(done, total) for done in range(1, total + 1)]


class White(Prior):
    """Independent complex pixels, of variance 0.3 in each part."""

    mean, variance = 0.0, 0.3

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        level = torch.as_tensor(sigma).to(x.real.dtype).reshape(-1, 1)
        return x * 0.3 / (0.3 + level**2)


@pytest.mark.parametrize("probes", [None, 1])
def test_complex_images_have_two_numbers_a_pixel(probes: int | None) -> None:
    x = torch.complex(normal(3, 2), normal(3, 2, seed=1))
    found = log_likelihood(White(), x, probes=probes, tolerance=1e-6)
    variance = 0.3 * (1 + 0.008**2)
    expected = -x.abs().square().sum(dim=1) / (2 * variance) - 2 * math.log(2 * math.pi * variance)
    assert found.dimension == 4
    torch.testing.assert_close(found.nats, expected, rtol=0, atol=1e-4)


def test_bits_per_dimension_by_hand() -> None:
    nats = torch.tensor([0.0, 4 * math.log(2), -8 * math.log(2)], dtype=F64)
    found = LogLikelihood(nats, nats, nats.long(), dimension=4).bits_per_dimension
    eight = math.log2(255)
    torch.testing.assert_close(found, torch.tensor([eight, eight - 1, eight + 2], dtype=F64))


def test_dequantised_images_fill_their_cells() -> None:
    images = torch.tensor([0.0, 100 / 255]).expand(200, 2)
    spread = 255 * (dequantise(images, 1) - images)
    assert float(spread.abs().max()) <= 0.5 + 1e-3
    assert abs(float(spread.mean())) < 5 / (12 * 400) ** 0.5
    assert abs(float(spread.var()) * 12 - 1) < 0.25
    assert not torch.equal(dequantise(images, 1), dequantise(images, 2))
    torch.testing.assert_close(dequantise(images[:1], 3), dequantise(images[:3], 1)[2:])


def test_bits_are_what_a_code_for_8_bit_images_needs() -> None:
    """Mean code length of independent pixels with the probabilities of their cells."""
    prior = GaussianPrior(torch.full((500,), 0.5, dtype=F64), 0.02)
    images = (255 * prior.sample(1, 4)).round() / 255
    normal_law = torch.distributions.Normal(0.5, math.sqrt(0.02 * (1 + 0.008**2)))
    cells = normal_law.cdf(images + 0.5 / 255) - normal_law.cdf(images - 0.5 / 255)
    bits = -cells.log2().mean()
    found = log_likelihood(prior, dequantise(images, 0), probes=1).bits_per_dimension
    assert float(found) == pytest.approx(float(bits), abs=0.01)


class Broken(White):
    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:  # noqa: ARG002
        return x * float("nan")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: {"sigma_min": 0.0}, "0 < sigma_min < sigma_max, got 0 and "),
        (lambda: {"sigma_min": 2.0, "sigma_max": 1.0}, "0 < sigma_min < sigma_max, got 2 and 1"),
        (lambda: {"probes": 0}, "`probes` must be a positive number, got 0"),
        (lambda: {"steps": 0}, "`steps` must be a positive number, got 0"),
        (lambda: {"tolerance": -1.0}, "`tolerance` must be a positive number, got -1.0"),
        (lambda: {"tolerance": math.inf}, "`tolerance` must be a positive number, got inf"),
        (lambda: {"rng": SampleRNG([(0,)])}, "1 streams serve no batch of 2"),
    ],
)
def test_wrong_arguments(make: Callable[[], dict[str, Any]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        log_likelihood(GAUSSIAN, GAUSSIAN.sample(2), **{"probes": 1, **make()})


def test_paths_that_are_not_finite() -> None:
    with pytest.raises(NotFiniteError, match="diverged to NaN or infinity"):
        log_likelihood(Broken(), torch.ones(1, 2, dtype=torch.complex64), probes=1)
