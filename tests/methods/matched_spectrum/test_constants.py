"""Constants of the default that pictures hardly tell, each by what it does, in closed form."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch

from invscore.likelihood import GaussianNoise, InverseProblem, PoissonNoise
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.matched_spectrum.cheapest import measurement_for
from invscore.methods.matched_spectrum.denoiser_covariance import DenoiserCovariance
from invscore.methods.matched_spectrum.local_scale import LocalScale
from invscore.methods.matched_spectrum.measurement import AtLevel
from invscore.operators import Identity, Inpainting, LinearOperator
from invscore.rng import SampleRNG

F64 = torch.float64
SHAPE = (1, 64, 64)
MEASUREMENT = import_module("invscore.methods.matched_spectrum.measurement")


def test_two_numbers_of_a_band_count_as_much_as_the_assumption() -> None:
    """That D passes image and noise alike, of which five in a band say the contrary.

    In the lowest band, the constant is the image and its four neighbours are noise of the same
    energy, of which D passes 0.3: image and noise differ by 5/7 of the 0.7 that they seem to, and
    x, half of each, is passed as the mean of 0.3 and of 1 - 0.5.
    """
    image, noise = torch.zeros(2, 1, *SHAPE, dtype=F64)
    image[..., 0, 0] = 2
    for place in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        noise[(..., *place)] = 1
    found = DenoiserCovariance(FrequencyBands(image)).estimate(
        image + 0.3 * noise, image, image + noise, 1.0
    )
    assert float(found[..., 0, 0]) == pytest.approx(0.4, rel=1e-9)


@pytest.mark.parametrize(("squared", "expected"), [(1.1e-6, (0.3 + 4 / 7 * 6) / 9), (0.9e-6, 0.7)])
def test_image_and_noise_that_look_alike_in_a_band_are_not_told_apart(
    squared: float, expected: float
) -> None:
    """1 - correlation^2 being below 1e-6: x alone is regressed on, of which D passes 2.1 of 3.

    Else what D passes of the image, 0.9, and of the noise, 0.3, counts for 5/7 of the evidence.
    """
    image, noise = torch.zeros(2, 1, *SHAPE, dtype=F64)
    image[..., 0, 0], noise[..., 0, 0] = 2, 1
    noise[..., 0, 1] = squared**0.5
    found = DenoiserCovariance(FrequencyBands(image)).estimate(
        0.9 * image + 0.3 * noise, image, image + noise, 1.0
    )
    assert float(found[..., 0, 0]) == pytest.approx(expected, rel=1e-3)


def test_every_place_has_a_twentieth_of_the_mean_variance() -> None:
    """Far from the only error: 0.05 of 1.05, both in units of the mean."""
    error = torch.zeros(1, *SHAPE, dtype=F64)
    error[..., 32, 32] = 3
    scale = LocalScale(FrequencyBands(error))(error)
    assert float(scale[..., 0, 0]) ** 2 == pytest.approx(0.05 / 1.05, rel=1e-6)


BRIGHT = torch.full((1, *SHAPE), 0.4, dtype=F64)
ROWS = Inpainting(torch.arange(64).remainder(2).bool()[:, None].expand(64, 64), SHAPE)
SINGULAR = InverseProblem(ROWS, ROWS(BRIGHT), GaussianNoise(1e-6))
PLAIN = InverseProblem(Identity(SHAPE), BRIGHT, PoissonNoise(1e12))


@pytest.mark.parametrize("problem", [SINGULAR, PLAIN], ids=["singular values", "photons"])
def test_precise_measurements_are_taken_for_fifty_times_as_precise_as_the_level(
    problem: InverseProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Draws of pixels that are measured with hardly any noise err by a fiftieth of the level."""
    monkeypatch.setattr(LocalScale, "__call__", lambda _, error: torch.ones_like(error))
    monkeypatch.setattr(MEASUREMENT, "PACE", 1e3)  # iterations to the end
    assert isinstance(problem.operator, LinearOperator)
    nothing, sigma = torch.zeros_like(BRIGHT), 0.3
    measurement = measurement_for(problem, problem.operator, FrequencyBands(nothing))
    picture = measurement.picture(nothing)
    c = torch.full_like(nothing, sigma**2)
    state = measurement.asked(picture)
    level = AtLevel(sigma, c, c, picture.spectrum, picture.spectrum, state)
    error = measurement.draw(level, SampleRNG([(0,)])).image[:, :, 1::2] - 0.4
    assert float(error.std()) == pytest.approx(sigma / 50, rel=5 / (2 * error.numel()) ** 0.5)
