"""Fields behind decimation against dense algebra: first guesses, and draws of the clean image."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore import GaussianNoise, GaussianPrior, InverseProblem, PoissonNoise, exact_posterior
from invscore.methods.gaussian_field.decimated import explained_sums, told_sums
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.gaussian_field.operator_power import OperatorPower
from invscore.methods.gaussian_field.power_law import field_mean
from invscore.methods.gaussian_field.waves import bands_behind, bands_of_guess
from invscore.methods.matched_spectrum.cheapest import measurement_for
from invscore.methods.matched_spectrum.decimated import DecimatedMeasurement
from invscore.methods.matched_spectrum.local_answer import LocalAnswer
from invscore.methods.matched_spectrum.measurement import AtLevel, PlainMeasurement
from invscore.operators import SuperResolution
from invscore.rng import SampleRNG

F64 = torch.float64
OPERATORS = {
    "halved": SuperResolution(2, (1, 8, 6)),
    "quartered": SuperResolution(4, (1, 8, 12), "gaussian"),
    "a third of the columns": SuperResolution((1, 3), (1, 5, 9), "box"),
    "in colour": SuperResolution(2, (3, 4, 6)),
}
KINDS = pytest.mark.parametrize("kind", OPERATORS)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def unit(shape: tuple[int, ...]) -> Tensor:
    n = math.prod(shape)
    return torch.eye(n, dtype=F64).reshape(n, *shape)


def dense(operator: SuperResolution) -> Tensor:
    return operator.matvec(unit(operator.in_shape)).flatten(1).T


def bands_of(operator: SuperResolution) -> FrequencyBands:
    return FrequencyBands(torch.zeros(1, *operator.in_shape, dtype=F64), mirrored=True)


def covariance(bands: FrequencyBands, c: Tensor) -> Tensor:
    return bands.image(c * bands.spectrum(unit(tuple(bands.shape)))).flatten(1)


def uneven(operator: SuperResolution, seed: int) -> Tensor:
    return random(1, *operator.in_shape, seed=seed).square() + 0.05


@KINDS
def test_what_a_residual_tells_of_a_field(kind: str) -> None:
    """With any variances of cosines, and a level of noise of its own for each image."""
    operator, level = OPERATORS[kind], torch.tensor([0.1, 0.3], dtype=F64)
    bands, c = bands_of(operator), uneven(operator, 1)
    residual = random(2, *operator.out_shape, seed=2)
    told, precision = told_sums(operator, residual, level.reshape(-1, 1, 1, 1) ** 2)
    found = bands.image(explained_sums(operator, c, told, precision)).flatten(1)
    a, cov = dense(operator), covariance(bands, c)
    for image, s, y in zip(found, level, residual.flatten(1), strict=True):
        inner = a @ cov @ a.T + s**2 * torch.eye(len(a), dtype=F64)
        torch.testing.assert_close(image, cov @ a.T @ torch.linalg.solve(inner, y))


@KINDS
def test_what_passes_of_cosines_is_the_diagonal(kind: str) -> None:
    operator = OPERATORS[kind]
    bands = bands_of(operator)
    a = bands.spectrum(operator.normal(bands.image(unit(operator.in_shape)))).flatten(1)
    power, is_filter = OperatorPower.of(operator, bands)
    assert not is_filter
    torch.testing.assert_close(power.flatten(), a.diagonal(), rtol=0, atol=1e-12)
    assert OperatorPower.of(SuperResolution(1, operator.in_shape), bands).is_filter


@KINDS
def test_the_first_guess_is_the_posterior_mean_of_a_field(kind: str) -> None:
    operator = OPERATORS[kind]
    mean = torch.full((1, *operator.in_shape), 0.5, dtype=F64)
    bands = bands_of_guess(operator, mean)
    assert bands.mirrored
    prior = GaussianPrior(mean[0], covariance(bands, bands.power_law(3.0, 0.06)))
    y = operator(prior.sample(1, 0))
    for noise in (0.05, 1e-5):  # the finer in double precision
        problem = InverseProblem(operator, y, GaussianNoise(noise))
        exact = exact_posterior(problem, prior).mean
        found = field_mean(problem, operator, mean, 3.0, 0.06)
        torch.testing.assert_close(found, exact[None].reshape(found.shape), rtol=0, atol=1e-7)
    single = InverseProblem(operator, y.float(), GaussianNoise(1e-5))
    found = field_mean(single, operator, mean.float(), 3.0, 0.06)
    torch.testing.assert_close(found, exact.float().reshape(found.shape), rtol=0, atol=1e-4)


class Uneven(LocalAnswer):
    """As uneven as it is told to be."""

    def __init__(self, bands: FrequencyBands, deviations: Tensor) -> None:
        super().__init__(bands)
        self._deviations = deviations

    def scale(self, like: Tensor) -> Tensor:
        return self._deviations.expand_as(like)


@KINDS
@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("sigma", [1e4, 0.5])
def test_a_draw_is_a_field_that_y_has_moved(
    kind: str, local: bool, sigma: float, law_of_draw: Callable[..., tuple[Tensor, Tensor]]
) -> None:
    """It spreads as it is told to, and is weighed by another covariance: ``perturb and fit``.

    At the level 0.5 the state tells a part of what y does.
    """
    operator, s = OPERATORS[kind], 0.2
    bands = bands_of(operator)
    c, spread = uneven(operator, 1), uneven(operator, 2)
    scale = uneven(operator, 3) if local else torch.ones(1, *operator.in_shape, dtype=F64)
    mean, x = random(1, *operator.in_shape, seed=4), random(1, *operator.in_shape, seed=5)
    problem = InverseProblem(operator, random(1, *operator.out_shape, seed=6), GaussianNoise(s))

    def draw(task: InverseProblem, rng: SampleRNG) -> Tensor:
        measurement = measurement_for(task, operator, bands)
        assert isinstance(measurement, DecimatedMeasurement)
        about, state = (measurement.picture(v.expand(len(task.y), *v.shape[1:])) for v in (mean, x))
        each = spread.expand(len(task.y), *operator.in_shape)
        level = AtLevel(sigma, c, each, about.spectrum, about.spectrum, measurement.asked(state))
        level.local = Uneven(bands, scale) if local else None
        return measurement.draw(level, rng).image

    found = law_of_draw(draw, problem)
    left, values, right = torch.linalg.svd(dense(operator), full_matrices=False)
    precision = values**2 / s**2
    more = (precision - 1 / sigma**2).clamp_min(0)
    told = precision * (left.T @ problem.y.flatten() / values) - right @ x.flatten() / sigma**2
    told = torch.where(more > 0, told / more.clamp_min(1e-12), 0.0)
    a, noise = right[more > 0], torch.diag(1 / more[more > 0])
    cov = covariance(bands, c)
    gain = cov @ a.T @ torch.linalg.inv(a @ cov @ a.T + noise)
    wanted = mean.flatten() + gain @ (told[more > 0] - a @ mean.flatten())
    torch.testing.assert_close(found[0], wanted, rtol=0, atol=1e-8)
    field = scale.flatten()[:, None] * covariance(bands, spread) * scale.flatten()
    rest = torch.eye(len(field), dtype=F64) - gain @ a
    torch.testing.assert_close(
        found[1], rest @ field @ rest.T + gain @ noise @ gain.T, rtol=0, atol=1e-8
    )


@KINDS
@pytest.mark.parametrize("sigma", [0.05, 0.3, 1.0])
def test_what_a_state_has_from_the_draw(kind: str, sigma: float) -> None:
    """The rest it has from y: of its singular vectors, up to ``sigma^2 a^2 / s^2``."""
    operator, s = OPERATORS[kind], 0.2
    bands = bands_of(operator)
    problem = InverseProblem(operator, random(1, *operator.out_shape), GaussianNoise(s))
    measurement = measurement_for(problem, operator, bands)
    before, after = (random(1, *operator.in_shape, seed=seed) for seed in (1, 2))
    error, share = measurement.drawn(before, after, sigma)
    _, values, right = torch.linalg.svd(dense(operator), full_matrices=False)
    known = (sigma * values / s).square().clamp_max(1)
    eye = torch.eye(right.shape[1], dtype=F64)
    root = eye - right.T @ torch.diag(1 - (1 - known).sqrt()) @ right
    image = bands.image(after - before).flatten()
    torch.testing.assert_close(bands.image(error).flatten(), root @ image, rtol=0, atol=1e-9)
    whole = eye - right.T @ torch.diag(known) @ right
    waves = bands.image(unit(operator.in_shape)).flatten(1)
    expected = (waves @ whole @ waves.T).diagonal()
    torch.testing.assert_close(share.expand_as(before).flatten(), expected, rtol=0, atol=1e-9)


def test_states_have_white_noise_of_their_level() -> None:
    operator, s, many = OPERATORS["halved"], 0.2, 20_000
    generator = torch.Generator().manual_seed(0)
    truth = random(1, *operator.in_shape, seed=1).expand(many, *operator.in_shape)
    clean = operator(truth)
    y = clean + s * torch.randn(clean.shape, dtype=F64, generator=generator)
    measurement = measurement_for(
        InverseProblem(operator, y, GaussianNoise(s)), operator, bands_of(operator)
    )
    for sigma in (0.05, 1.0):
        state = measurement.state(measurement.picture(truth), sigma, OneStream(generator))
        torch.testing.assert_close(measurement.picture(state.image).spectrum, state.spectrum)
        found = (state.image - truth).flatten(1) / sigma
        identity = torch.eye(found.shape[1], dtype=F64)
        assert float((found.T @ found / many - identity).abs().max()) < 7 * many**-0.5


class OneStream(SampleRNG):
    """One generator for all samples: many streams take long to make."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__([], "cpu")
        self._generator = generator

    def normal_like(self, x: Tensor) -> Tensor:
        return torch.randn(x.shape, dtype=x.dtype, generator=self._generator)


def test_decimation_is_looked_at_in_cosines() -> None:
    operator = OPERATORS["halved"]
    like = torch.zeros(1, *operator.in_shape, dtype=F64)
    bands = bands_behind(operator, like)
    assert bands.mirrored
    y = torch.full((1, *operator.out_shape), 0.5, dtype=F64)
    gaussian = InverseProblem(operator, y, GaussianNoise(0.1))
    assert isinstance(measurement_for(gaussian, operator, bands), DecimatedMeasurement)
    counts = InverseProblem(operator, y, PoissonNoise(100.0))
    assert isinstance(measurement_for(counts, operator, bands), PlainMeasurement)
    large = torch.zeros(()).expand(1, 1, 1024, 512)
    assert not bands_behind(SuperResolution(2, (1, 1024, 512)), large).mirrored
