"""Draws given a measurement that is not linear, against dense formulas and quadrature."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch
from skimage.data import camera
from torch import Tensor

from invscore import reconstruct
from invscore.likelihood import GaussianNoise, InverseProblem, PoissonNoise, simulate
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.matched_spectrum.local_scale import LocalScale
from invscore.methods.matched_spectrum.measurement import AtLevel
from invscore.methods.matched_spectrum.nonlinear import NonlinearMeasurement
from invscore.operators import Blur, HighDynamicRange, NonlinearOperator, PhaseRetrieval
from invscore.priors import GaussianPrior, load_prior
from invscore.rng import SampleRNG

F64 = torch.float64
NONLINEAR = import_module("invscore.methods.matched_spectrum.nonlinear")
MEASUREMENT = import_module("invscore.methods.matched_spectrum.measurement")
SHAPE = (1, 4, 4)
SHARPEST, TRUST = 50.0, 0.35  # as photographs were restored best
SIGMA = 0.7


class Affine(NonlinearOperator):
    """``A x + 1`` of a blur A, of which nobody knows that it has the same derivative everywhere."""

    def __init__(self) -> None:
        self.blur = Blur.gaussian(0.5, SHAPE)
        self.in_shape, self.out_shape = self.blur.in_shape, self.blur.out_shape

    def __call__(self, x: Tensor) -> Tensor:
        return self.blur.matvec(x) + 1


def random(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def a_level(bands: FrequencyBands) -> AtLevel:
    c = random(0, 1, *SHAPE).square() + 0.1
    denoised, clean = random(1, 1, *SHAPE), random(2, 1, *SHAPE)
    return AtLevel(SIGMA, c, 0.8 * c, bands.spectrum(denoised), bands.spectrum(clean), clean)


def expected(problem: InverseProblem, level: AtLevel, bands: FrequencyBands, noise: Tensor):
    """``x + T A^H (A T A^H + S)^-1 (y - A(x) - n)`` for a draw x about D, by dense matrices."""
    generator = SampleRNG([(0,)])
    waves = bands.image(torch.eye(16, dtype=F64).reshape(16, *SHAPE)).reshape(16, 16).T
    scale = LocalScale(bands)(bands.image(level.clean - level.denoised)).flatten()
    root = scale[:, None] * waves
    field = level.spread.sqrt() * generator.normal_like(level.c)
    x = bands.image(level.denoised).flatten() + root @ field.flatten()
    t = root @ torch.diag((level.c ** (1 - TRUST) * SIGMA ** (2 * TRUST)).flatten()) @ root.T
    matrix = Affine().blur.matvec(torch.eye(16, dtype=F64).reshape(16, *SHAPE)).reshape(16, 16).T
    seen = problem.operator(bands.image(level.denoised))
    told = problem.noise.working(problem.y, seen)
    unexplained = (told - noise * generator.normal_like(told)).flatten() - matrix @ x - 1
    s = torch.diag((noise**2).expand(seen.shape).flatten())
    return x + t @ matrix.T @ torch.linalg.solve(matrix @ t @ matrix.T + s, unexplained)


@pytest.mark.parametrize("law", ["gaussian", "poisson"])
def test_a_draw_is_the_dense_one_where_the_operator_bends_nowhere(law: str) -> None:
    noise = GaussianNoise(0.3) if law == "gaussian" else PoissonNoise(5.0)
    y = random(3, 1, *SHAPE).abs() + 0.5
    problem = InverseProblem(Affine(), y, noise)
    bands = FrequencyBands(torch.zeros(1, *SHAPE, dtype=F64))
    level = a_level(bands)
    level.denoised = 0.1 * level.denoised
    deviation = noise.variance(problem.operator(bands.image(level.denoised))).sqrt()
    wanted = expected(problem, level, bands, deviation)
    found = NonlinearMeasurement(problem, bands).draw(level, SampleRNG([(0,)]))
    torch.testing.assert_close(found.image.flatten(), wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(bands.image(found.spectrum), found.image)


def test_what_is_measured_better_than_a_fiftieth_of_the_field_is_taken_for_that() -> None:
    problem = InverseProblem(Affine(), random(3, 1, *SHAPE), GaussianNoise(1e-6))
    bands = FrequencyBands(torch.zeros(1, *SHAPE, dtype=F64))
    level = a_level(bands)
    scale = LocalScale(bands)(bands.image(level.clean - level.denoised))
    field = level.spread.sqrt() * SampleRNG([(0,)]).normal_like(level.c)
    passed = Affine().blur.matvec(scale * bands.image(field))
    wanted = expected(problem, level, bands, passed.square().mean().sqrt() / SHARPEST)
    found = NonlinearMeasurement(problem, bands).draw(level, SampleRNG([(0,)]))
    # Ten conjugate gradients, four times: to what they leave of a condition of thousands.
    torch.testing.assert_close(found.image.flatten(), wanted, rtol=0, atol=0.02)
    assert float((found.image.flatten() - wanted).abs().mean()) < 0.005


class Bent(NonlinearOperator):
    """``x + x^3 / 10`` of each number."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.in_shape = self.out_shape = shape

    def __call__(self, x: Tensor) -> Tensor:
        return x + 0.1 * x**3


def test_numbers_behind_a_bent_curve_have_moments_by_quadrature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Standard normal numbers seen as ``x + x^3 / 10`` with noise 0.5, D believed as it is."""
    monkeypatch.setattr(MEASUREMENT, "TRUST", 0.0)
    prior = GaussianPrior(torch.zeros(400, dtype=F64), 1.0)
    operator = Bent((400,))
    grid = torch.linspace(-6, 6, 4001, dtype=F64)
    for y in (0.5, 2.0):
        weights = (-(grid**2) / 2 - (y - operator(grid)).square() / (2 * 0.5**2)).softmax(dim=0)
        mean = (weights * grid).sum()
        deviation = (weights * (grid - mean) ** 2).sum().sqrt()
        problem = InverseProblem(operator, torch.full((1, 400), y, dtype=F64), GaussianNoise(0.5))
        found = reconstruct(problem, prior, method="matched_spectrum", samples=10, seed=0).samples
        # 4000 numbers: errors of 1.6 % of the deviation in the mean, and of 1.1 % of it.
        assert abs(float(found.mean() - mean)) < 0.08 * deviation
        assert 0.9 < float(found.std() / deviation) < 1.1


def test_a_draw_is_the_mode_of_a_strongly_bent_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four Gauss-Newton steps come within 0.003 of it, three within 0.11."""
    problem = InverseProblem(Bent(SHAPE), random(3, 1, *SHAPE).abs() * 4 + 4, GaussianNoise(0.3))
    bands = FrequencyBands(torch.zeros(1, *SHAPE, dtype=F64))
    found = NonlinearMeasurement(problem, bands).draw(a_level(bands), SampleRNG([(0,)])).image
    monkeypatch.setattr(NONLINEAR, "NEWTON", 40)
    monkeypatch.setattr(NONLINEAR, "PRODUCTS", 40)
    mode = NonlinearMeasurement(problem, bands).draw(a_level(bands), SampleRNG([(0,)])).image
    assert float((found - mode).abs().max()) < 0.01


def test_a_clipped_photograph_with_much_noise_is_denoised() -> None:
    """Draws that are as uncertain as the level, as in `daps`, are full of it: 10 dB."""
    image = torch.from_numpy(camera()).float()[None, None] / 255
    image = torch.nn.functional.interpolate(image, (48, 48), mode="area")
    operator = HighDynamicRange((1, 48, 48))
    y = simulate(operator, image, GaussianNoise(0.3), 0)
    problem = InverseProblem(operator, y, GaussianNoise(0.3))
    result = reconstruct(problem, load_prior("photos-gray-small"), samples=2, seed=0)
    assert result.method == "matched_spectrum"
    reconstruct(
        problem,
        load_prior("photos-gray-small"),
        method="matched_spectrum",
        spread="seen",
        samples=2,
        steps=2,
    )
    assert -10 * float((result.mean - image).square().mean().log10()) > 19
    assert 0.9 < float(problem.discrepancy(result.samples[0])) < 1.1


def test_complex_images_are_served() -> None:
    shape = (1, 8, 8)
    operator = PhaseRetrieval(shape, oversampling=2)
    image = 0.5 + 0.1 * random(5, 1, *shape)
    noise = GaussianNoise(0.05)
    problem = InverseProblem(operator, simulate(operator, image, noise, 0), noise)
    prior = GaussianPrior(torch.full(shape, 0.5, dtype=F64), 0.01)
    result = reconstruct(problem, prior, method="matched_spectrum", samples=2, seed=0)
    assert 0.7 < float(problem.discrepancy(result.samples[0])) < 1.3
