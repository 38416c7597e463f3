"""Noise that a sampler's state has in common with the measurement."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import reconstruct
from invscore.likelihood import GaussianNoise, InverseProblem, PoissonNoise, simulate
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.matched_spectrum.cheapest import measurement_for
from invscore.methods.matched_spectrum.measurement import (
    DecomposedMeasurement,
    FilteredMeasurement,
    Measurement,
    PlainMeasurement,
)
from invscore.operators import (
    MRI,
    Blur,
    Identity,
    Inpainting,
    LinearOperator,
    SuperResolution,
    Tomography,
)
from invscore.priors import GaussianPrior
from invscore.priors.base import Prior
from invscore.rng import SampleRNG

F64 = torch.float64
SHAPE = (1, 4, 4)
S = 0.2
OPERATORS: dict[str, LinearOperator] = {
    "identity": Identity(SHAPE),
    "blur": Blur.gaussian(0.6, SHAPE),
    "mask": Inpainting.random(SHAPE, keep=0.4, seed=1),
    "superresolution": SuperResolution(2, SHAPE),
    "fourier": MRI.random(SHAPE, acceleration=2),
}
MANY = 40_000


def streams(count: int) -> SampleRNG:
    return SampleRNG([(k,) for k in range(count)])


def measurement_of(problem: InverseProblem) -> Measurement:
    assert isinstance(problem.operator, LinearOperator)
    like = torch.zeros(1, *problem.operator.in_shape, dtype=problem.image_dtype)
    return measurement_for(problem, problem.operator, FrequencyBands(like))


def as_reals(x: Tensor) -> Tensor:
    return (torch.view_as_real(x) if x.is_complex() else x).flatten(1)


@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize("sigma", [0.05, 0.25, 1.0])
def test_states_have_white_noise_of_their_level(kind: str, sigma: float) -> None:
    """Around the truth, whatever the measurement's noise: over draws of both."""
    operator = OPERATORS[kind]
    generator = torch.Generator().manual_seed(0)
    dtype = torch.complex128 if operator.in_complex else F64
    truth = torch.randn(1, *SHAPE, dtype=dtype, generator=generator).expand(MANY, *SHAPE)
    clean = operator(truth)
    parts = torch.view_as_real(clean) if clean.is_complex() else clean
    noise = S * torch.randn(parts.shape, dtype=F64, generator=generator)
    y = clean + (torch.view_as_complex(noise) if clean.is_complex() else noise)
    shared = measurement_of(InverseProblem(operator, y, GaussianNoise(S)))
    assert not isinstance(shared, PlainMeasurement)
    state = shared.state(shared.picture(truth), sigma, OneStream(generator))
    torch.testing.assert_close(shared.picture(state.image).spectrum, state.spectrum)
    found = as_reals(state.image - truth) / sigma
    error = MANY**-0.5
    assert float(found.mean(dim=0).abs().max()) < 5 * error
    covariance = found.T @ found / MANY
    identity = torch.eye(len(covariance), dtype=F64)
    assert float((covariance - identity).abs().max()) < 5 * 2**0.5 * error


class OneStream(SampleRNG):
    """One generator for all samples: many streams take long to make."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__([], "cpu")
        self._generator = generator

    def normal_like(self, x: Tensor) -> Tensor:
        if x.is_complex():
            return torch.view_as_complex(self.normal_like(torch.view_as_real(x)))
        return torch.randn(x.shape, dtype=x.dtype, generator=self._generator)


def problem_and_prior(kind: str) -> tuple[InverseProblem, LinearOperator, GaussianPrior]:
    operator = OPERATORS[kind]
    generator = torch.Generator().manual_seed(3)
    root = torch.randn(16, 16, dtype=F64, generator=generator) / 4
    mean = torch.randn(SHAPE, dtype=F64, generator=generator)
    prior = GaussianPrior(mean, root @ root.T + 0.1 * torch.eye(16, dtype=F64))
    noise = GaussianNoise(S)
    y = simulate(operator, prior.sample(1, 3), noise, 1)
    return InverseProblem(operator, y, noise), operator, prior


@pytest.mark.parametrize("kind", ["identity", "blur", "mask", "superresolution"])
@pytest.mark.parametrize("sigma", [0.1, 0.3, 4.0])
def test_a_state_and_what_is_beyond_it_tell_as_much_as_both_measurements(
    kind: str, sigma: float
) -> None:
    """The joint law of x0, x and y, all Gaussian, conditioned on x and y at once."""
    problem, operator, prior = problem_and_prior(kind)
    shared, x, told, precision = beyond(problem, prior, sigma)

    eye = torch.eye(16, dtype=F64)
    forward = operator(eye.reshape(16, *SHAPE)).flatten(1).T
    left, values, right = torch.linalg.svd(forward)
    ratio = torch.zeros(16, dtype=F64)
    ratio[: len(values)] = values * sigma / S
    rho = torch.minimum(ratio, 1 / ratio.clamp_min(1e-9))[: len(values)]
    cross = sigma * S * right[: len(values)].T @ torch.diag(rho) @ left[:, : len(values)].T
    stacked = torch.cat([eye, forward])
    rows = len(forward)
    noise = torch.zeros(16 + rows, 16 + rows, dtype=F64)
    noise[:16, :16], noise[16:, 16:] = sigma**2 * eye, S**2 * torch.eye(rows, dtype=F64)
    noise[:16, 16:], noise[16:, :16] = cross, cross.T
    # Coefficients with noise that is the same in x and in y make it singular.
    inverse = torch.linalg.pinv(noise, hermitian=True, rtol=1e-9)
    given = torch.cat([x.flatten(), problem.y.flatten()])
    prior_precision = torch.linalg.inv(prior.covariance)
    whole = prior_precision + stacked.T @ inverse @ stacked
    centre = prior_precision @ prior.mean.flatten() + stacked.T @ inverse @ given

    images = eye.reshape(16, *SHAPE)
    more = precision.sqrt() * shared.coefficients(images)
    more = more.flatten(1).T
    found = prior_precision + eye / sigma**2 + more.T @ more
    torch.testing.assert_close(found, whole, rtol=0, atol=2e-3 * float(whole.max()))
    shift = x.flatten() / sigma**2 + more.T @ (precision.sqrt() * told).flatten()
    mean = torch.linalg.solve(found, prior_precision @ prior.mean.flatten() + shift)
    torch.testing.assert_close(mean, torch.linalg.solve(whole, centre), rtol=0, atol=2e-3)


@pytest.mark.parametrize("kind", ["identity", "blur", "mask", "superresolution"])
def test_below_the_noise_of_the_measurement_nothing_is_beyond(kind: str) -> None:
    problem, _, prior = problem_and_prior(kind)
    _, _, told, precision = beyond(problem, prior, 0.1)
    assert not told.any()
    assert not precision.any()


class Coefficients:
    """Those of images, in which a measurement shares its noise with the state."""

    def __init__(self, measurement: Measurement) -> None:
        assert isinstance(measurement, FilteredMeasurement | DecomposedMeasurement)
        self._filters = isinstance(measurement, FilteredMeasurement)
        self.shared, self._bands = measurement.shared, measurement.bands

    def coefficients(self, images: Tensor) -> Tensor:
        known = self._bands.spectrum(images) if self._filters else images
        return self.shared.coefficients(known)


def beyond(
    problem: InverseProblem, prior: GaussianPrior, sigma: float
) -> tuple[Coefficients, Tensor, Tensor, Tensor]:
    """A state of the level ``sigma``, and what y tells beyond it."""
    measurement = measurement_of(problem)
    found = Coefficients(measurement)
    x = measurement.state(measurement.picture(prior.sample(1, 5)), sigma, streams(1))
    filters = isinstance(measurement, FilteredMeasurement)
    told, precision = found.shared.beyond(x.spectrum if filters else x.image, sigma)
    return found, x.image, told, precision


class Coins(Prior):
    """Pixels that are -1 or 1, each of itself: D(x, sigma) = tanh(x / sigma^2)."""

    mean, variance, sigma_min, sigma_max = 0.0, 1.0, 1e-3, 100.0

    def denoise(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        return torch.tanh(x / sigma**2)


def test_the_mean_of_a_denoised_image_is_the_denoisers() -> None:
    """However far from Gaussian the prior: a state at the level of y is y."""
    operator, noise = Identity((1, 16, 16)), GaussianNoise(1.0)
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(1, 1, 16, 16, dtype=F64, generator=generator).sign()
    y = simulate(operator, truth, noise, 0)
    result = reconstruct(
        InverseProblem(operator, y, noise), Coins(), method="matched_spectrum", samples=200
    )
    error = (result.mean - torch.tanh(y)).square().mean().sqrt()
    assert float(error) < 0.09


def test_the_cheapest_way_is_taken() -> None:
    y, blur = torch.full((2, *SHAPE), 0.5), OPERATORS["blur"]

    def chosen(operator: LinearOperator, y: Tensor, noise: GaussianNoise | PoissonNoise) -> type:
        return type(measurement_of(InverseProblem(operator, y, noise)))

    assert chosen(blur, y, GaussianNoise(0.1)) is FilteredMeasurement
    assert chosen(blur, y, GaussianNoise(torch.tensor([0.1, 0.2]))) is FilteredMeasurement
    assert chosen(2 * blur, y, GaussianNoise(0.1)) is FilteredMeasurement
    assert chosen(blur, y, PoissonNoise(100.0)) is PlainMeasurement
    tomography = Tomography(4, SHAPE)
    assert chosen(tomography, tomography(y), GaussianNoise(0.1)) is PlainMeasurement
    for real in (True, False):
        mri = MRI.random(SHAPE, acceleration=2, real=real)
        x = y if real else torch.complex(y, y)
        expected = FilteredMeasurement if real else DecomposedMeasurement  # for a local scale
        assert chosen(mri, mri(x), GaussianNoise(0.1)) is expected
    for kind in ("mask", "superresolution"):
        given = OPERATORS[kind](y)
        assert chosen(OPERATORS[kind], given, GaussianNoise(0.1)) is DecomposedMeasurement
