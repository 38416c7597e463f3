"""How much more a denoiser errs on a sampler's own draws than it tells, and draws that follow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.matched_spectrum.cheapest import measurement_for
from invscore.methods.matched_spectrum.measurement import (
    AtLevel,
    DecomposedMeasurement,
    FilteredMeasurement,
    Measurement,
    PlainMeasurement,
)
from invscore.methods.matched_spectrum.own_error import OwnError
from invscore.operators import Blur, Inpainting, LinearOperator
from invscore.rng import SampleRNG

F64 = torch.float64
SHAPE = (1, 8, 8)
LawOf = Callable[..., tuple[Tensor, Tensor]]


def images(seed: int, count: int = 1, shape: tuple[int, ...] = (1, 64, 64)) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *shape, dtype=F64, generator=generator)


def signs(bands: FrequencyBands) -> Tensor:
    """A spectrum of mean square 1 in every band."""
    return bands.spectrum(images(1)).sgn()


def after_a_guess(bands: FrequencyBands) -> OwnError:
    """One that has seen a level, which is soon forgotten."""
    own, nothing = OwnError(bands), torch.zeros_like(images(0))
    own.spread(nothing + 1, nothing, nothing + 1, 1e9)
    return own


@pytest.mark.parametrize(("error", "expected"), [(0.9, 0.81), (0.4, 0.25), (3.0, 1.0)])
def test_draws_spread_by_no_less_than_the_error(error: float, expected: float) -> None:
    """Told 0.25; no more than the noise, of variance 1."""
    bands, c = FrequencyBands(images(0)), torch.full_like(images(0), 0.25)
    fine = bands.spread(bands.count[None]) > 800
    found = after_a_guess(bands).spread(c, error * signs(bands), torch.ones_like(c), 1.0)
    torch.testing.assert_close(found[fine], expected + 0 * found[fine], rtol=0.07, atol=0.0)
    assert (found >= c).all()


def test_a_standard_error_is_taken_off() -> None:
    """Of the right error little is taken for more, and of few numbers none."""
    bands = FrequencyBands(images(0))
    c = torch.full_like(images(0), 0.25)
    found = []
    for seed in range(20):
        error = 0.5 * bands.spectrum(images(2 + seed))
        found.append(after_a_guess(bands).spread(c, error, torch.ones_like(c), 1.0) / c)
    mean = torch.stack(found).mean(dim=0)
    few = bands.spread(bands.count[None]) < 10
    assert mean[~few].mean() < 1.01
    assert mean[few].max() < 1.35


def test_the_standard_error_is_that_of_a_mean_square() -> None:
    """Of n numbers: ``(2 / n)^1/2`` of it."""
    bands, c = FrequencyBands(images(0)), torch.full_like(images(0), 0.25)
    found = after_a_guess(bands).spread(c, 0.9 * signs(bands), torch.ones_like(c), 1.0)
    told = 0.81 / 0.25 / (1 + (2 / bands.count[None].to(F64)) ** 0.5)
    expected = 0.25 * bands.spread(told.log().clamp_min(0)).exp()
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0.0)


def test_a_first_guess_is_no_draw() -> None:
    e = images(1)
    bands, c = FrequencyBands(e), torch.full_like(e, 0.25)
    found = OwnError(bands).spread(c, 3 * bands.spectrum(e), torch.ones_like(c), 1.0)
    torch.testing.assert_close(found, c, rtol=1e-12, atol=0.0)


def test_earlier_levels_count_by_the_square() -> None:
    bands, c = FrequencyBands(images(0)), torch.full_like(images(0), 0.01)
    own, every = after_a_guess(bands), torch.ones_like(c)
    first = own.spread(c, 0.2 * signs(bands), every, 1.0)
    second = own.spread(c, 0.4 * signs(bands), every, 0.5)
    fine = bands.spread(bands.count[None]) > 800
    found = (second / first)[fine]
    torch.testing.assert_close(found, torch.full_like(found, 4**0.75), rtol=1e-6, atol=0.0)


def test_only_what_is_drawn_spreads_by_more() -> None:
    """Half of the frequencies are measured: theirs has no part in the error, nor in the spread."""
    bands, c = FrequencyBands(images(0)), torch.full_like(images(0), 0.25)
    share = (images(2) > 0).to(F64)
    found = after_a_guess(bands).spread(c, 0.9 * share * signs(bands), share, 1.0)
    fine = bands.spread(bands.count[None]) > 800
    assert torch.equal(found[share == 0], c[share == 0])
    free = found[(share > 0) & fine]
    torch.testing.assert_close(free, torch.full_like(free, 0.81), rtol=0.1, atol=0.0)


def measurement_of(operator: LinearOperator, s: float) -> Measurement:
    y = torch.zeros(1, *operator.out_shape, dtype=F64)
    problem = InverseProblem(operator, y, GaussianNoise(s))
    image = torch.zeros(1, *operator.in_shape, dtype=F64)
    return measurement_for(problem, operator, FrequencyBands(image))


def test_states_have_hidden_pixels_from_the_draw() -> None:
    """And 1 - (sigma / s)^2 of the variance of pixels that are measured less precisely."""
    image = images(1, 3)  # of one measurement
    operator = Inpainting.random(image.shape[1:], keep=0.4, seed=0)
    mask = operator.weight.single.expand(image.shape) > 0
    for sigma, left in ((0.1, 0.0), (0.03, 1 - 0.36)):
        measurement = measurement_of(operator, 0.05)
        assert isinstance(measurement, DecomposedMeasurement)
        bands = measurement.bands
        spectrum = bands.spectrum(image)
        found = measurement.drawn(torch.zeros_like(spectrum), spectrum, sigma)
        expected = torch.where(mask, left**0.5, 1.0) * image
        torch.testing.assert_close(bands.image(found[0]), expected)
        share = 1 - 0.4 * (1 - left)
        torch.testing.assert_close(
            found[1].mean(), torch.tensor(share, dtype=F64), rtol=0.06, atol=0.0
        )


def test_a_filter_and_its_singular_vectors_agree() -> None:
    operator = Blur.gaussian(1.0, SHAPE)
    filtered = measurement_of(operator, 0.05)
    assert isinstance(filtered, FilteredMeasurement)
    problem = InverseProblem(operator, torch.zeros(1, *SHAPE, dtype=F64), GaussianNoise(0.05))
    decomposed = DecomposedMeasurement(problem, operator.svd(F64), filtered.bands)
    spectrum = filtered.bands.spectrum(images(1, 1, SHAPE))
    for sigma in (0.3, 0.04):
        zero = torch.zeros_like(spectrum)
        one, other = (m.drawn(zero, spectrum, sigma) for m in (filtered, decomposed))
        torch.testing.assert_close(one[0], other[0], rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(one[1].expand_as(spectrum), other[1], rtol=1e-6, atol=1e-5)


def test_draws_have_the_spread_where_y_says_nothing(law_of_draw: LawOf) -> None:
    """And the mean of a field of the variances ``c``."""
    operator, s, sigma = Blur.gaussian(1.0, SHAPE), 0.05, 0.3
    y = images(3, 1, SHAPE)
    problem = InverseProblem(operator, y, GaussianNoise(s))
    bands = FrequencyBands(torch.zeros(1, *SHAPE, dtype=F64))
    c, spread = (torch.full((1, *SHAPE), v, dtype=F64) for v in (0.01, 0.04))

    def draw(variances: Tensor) -> Callable[[InverseProblem, SampleRNG], Tensor]:
        def one(task: InverseProblem, rng: SampleRNG) -> Tensor:
            measurement = measurement_for(task, operator, bands)
            nothing = torch.zeros(len(task.y), *SHAPE, dtype=F64)
            x = measurement.picture(nothing)
            level = AtLevel(sigma, c, variances, nothing, nothing, measurement.asked(x))
            return bands.spectrum(measurement.draw(level, rng).image)

        return one

    mean, covariance = law_of_draw(draw(spread), problem)
    narrow, _ = law_of_draw(draw(c), problem)
    torch.testing.assert_close(mean, narrow)
    shared = measurement_for(problem, operator, bands).shared  # type: ignore[attr-defined]
    _, precision = shared.beyond(torch.zeros(1, *SHAPE, dtype=F64), sigma)
    expected = (spread / (1 + precision * spread)).flatten()
    torch.testing.assert_close(covariance, torch.diag(expected), rtol=1e-6, atol=1e-9)
    assert (precision.flatten() == 0).sum() > 8


def test_states_of_fresh_noise_have_all_from_draws() -> None:
    """Which spread by what they are told to, where y says next to nothing."""
    shape, number = (1, 16, 16), 100
    operator = Blur.gaussian(0.5, shape, boundary="valid")
    y = torch.zeros(number, *operator.out_shape, dtype=F64)
    bands = FrequencyBands(torch.zeros(1, *shape, dtype=F64))
    measurement = measurement_for(InverseProblem(operator, y, GaussianNoise(1e3)), operator, bands)
    assert isinstance(measurement, PlainMeasurement)
    one, nothing = torch.ones(number, *shape, dtype=F64), torch.zeros(number, *shape, dtype=F64)
    clean, zero = bands.spectrum(one), bands.spectrum(nothing)
    error, share = measurement.drawn(zero, clean, 0.3)
    torch.testing.assert_close(error, clean)
    torch.testing.assert_close(share.expand_as(one), one)
    c, spread = 0.01 * one, 0.04 * one
    level = AtLevel(0.3, c, spread, zero, clean, measurement.asked(measurement.picture(nothing)))
    drawn = measurement.draw(level, SampleRNG([(k,) for k in range(number)])).image
    assert float(drawn.square().mean()) == pytest.approx(0.04, rel=0.04)  # of 25600 numbers
