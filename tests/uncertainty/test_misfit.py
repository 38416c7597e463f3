"""What does not fit is named by its cause, and nothing is named where all fits."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from invscore import (
    GaussianNoise,
    InverseProblem,
    PoissonNoise,
    Result,
    load_prior,
    reconstruct,
    simulate,
)
from invscore.estimation.noise_level import noise_seen
from invscore.estimation.noise_map import with_noise_map
from invscore.images import crop_and_shrink, load_image, to_gray
from invscore.operators import (
    MRI,
    Blur,
    HighDynamicRange,
    Identity,
    Inpainting,
    LinearOperator,
    SuperResolution,
)
from invscore.uncertainty import check_residual, misfit_warnings, noise_warnings

SHAPE = (1, 64, 64)
SIGMA = 0.01
GAUSSIAN = Blur.gaussian(1.6, SHAPE)
MOTION = Blur.motion(15, 30, SHAPE)
HOLES = Inpainting.random(SHAPE, keep=0.5)


@pytest.fixture(scope="module")
def photos() -> Tensor:
    names = ("camera", "chelsea", "coffee")
    images = [to_gray(crop_and_shrink(load_image(name), 200)) for name in names]
    return torch.stack([image[:, 68:132, 68:132] for image in images])


def restored(x: Tensor, true: LinearOperator, told: LinearOperator, noise: float) -> list[Result]:
    """The images restored one by one, with noise of ``noise`` where ``SIGMA`` is declared."""
    y = simulate(true, x, GaussianNoise(noise), 1)
    prior = load_prior("photos-gray")
    problems = [InverseProblem(told, one[None], GaussianNoise(SIGMA)) for one in y]
    return [reconstruct(problem, prior, samples=1, scale=1.0) for problem in problems]


@pytest.mark.parametrize(
    "operator",
    [GAUSSIAN, MOTION, HOLES, SuperResolution(2, SHAPE), MRI.random(SHAPE, real=True)],
    ids=["blur", "motion", "holes", "superres", "mri"],
)
def test_nothing_is_said_where_all_fits(photos: Tensor, operator: LinearOperator) -> None:
    for result in restored(photos[:2], operator, operator, SIGMA):
        assert result.warnings == ()


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_another_level_of_noise_is_named_with_the_level_that_fits(
    photos: Tensor, factor: float
) -> None:
    for result in restored(photos[:2], GAUSSIAN, GAUSSIAN, factor * SIGMA):
        (sentence,) = result.warnings
        found = re.search(r"the noise is at (least|most) ([\d.]+), not 0.01", sentence)
        assert found is not None, sentence
        assert found.group(1) == ("least" if factor > 1 else "most")
        assert float(found.group(2)) == pytest.approx(factor * SIGMA, rel=0.05)


def test_another_level_of_a_noise_map_is_a_factor(photos: Tensor) -> None:
    y = simulate(GAUSSIAN, photos[:1], GaussianNoise(SIGMA), 1)
    problem = with_noise_map(GAUSSIAN, y, torch.full(SHAPE, (2 * SIGMA) ** 2))
    (sentence,) = reconstruct(problem, load_prior("photos-gray"), samples=1, scale=1.0).warnings
    assert sentence.endswith("times what its map says")


@pytest.mark.parametrize("operator", [Identity(SHAPE), SuperResolution(2, SHAPE)])
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_prior_sees_another_level_of_noise(
    photos: Tensor, operator: LinearOperator, factor: float
) -> None:
    """Where residuals do not tell it, since samples follow the noise."""
    (result,) = restored(photos[2:], operator, operator, factor * SIGMA)
    assert re.search(r"noise .* (about|at least|at most) [\d.]+", result.warnings[0])


@pytest.mark.parametrize(
    ("true", "told"),
    [
        (GAUSSIAN, Blur.gaussian(2.2, SHAPE)),
        (MOTION, Blur.motion(15, 45, SHAPE)),
        (MOTION, Blur.motion(11, 30, SHAPE)),
    ],
    ids=["width", "angle", "length"],
)
def test_another_kernel_is_named(
    photos: Tensor, true: LinearOperator, told: LinearOperator
) -> None:
    for result in restored(photos[:1], true, told, SIGMA):
        assert "its kernel first of all" in result.warnings[0]


def test_a_mask_that_is_missing_is_named(photos: Tensor) -> None:
    for result in restored(photos[:1], HOLES, Identity(SHAPE), SIGMA):
        assert "declare them by a mask" in result.warnings[0]


def test_an_image_unlike_the_prior_is_named() -> None:
    generator = torch.Generator().manual_seed(0)
    dice = (torch.rand(1, *SHAPE, generator=generator) < 0.5).float()
    (result,) = restored(dice, Identity(SHAPE), Identity(SHAPE), SIGMA)
    assert "unlike those that the prior knows" in result.warnings[0]


@pytest.mark.parametrize("photons", [0.5, 20.0, 1000.0])
def test_counts_have_zeros_and_heavy_tails_by_themselves(photons: float) -> None:
    """The truth itself as the sample: its residual is the noise, whatever the light."""
    rows = torch.linspace(0.02, 1.0, 64)
    truth = (rows[:, None] * rows[None]).expand(20, *SHAPE)
    noise = PoissonNoise(photons)
    y = simulate(Identity(SHAPE), truth, noise, 3)
    for one, x in zip(y, truth, strict=True):
        problem = InverseProblem(Identity(SHAPE), one[None], noise)
        residual = check_residual(problem, x[None, None])
        assert misfit_warnings(problem, x[None, None], residual, white=True) == ()


@pytest.mark.parametrize(
    ("factor", "told"), [(0.8, True), (0.9, False), (1.12, False), (1.25, True)]
)
def test_how_far_the_noise_may_be_off(factor: float, told: bool) -> None:
    """White residuals of the factor: a power of 1.4, or its inverse, is let pass."""
    generator = torch.Generator().manual_seed(4)
    y = factor * SIGMA * torch.randn(1, *SHAPE, generator=generator)
    problem, nothing = InverseProblem(GAUSSIAN, y, GaussianNoise(SIGMA)), torch.zeros(1, 1, *SHAPE)
    found = misfit_warnings(problem, nothing, check_residual(problem, nothing), white=True)
    assert any("not 0.01" in sentence for sentence in found) == told


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_the_noise_of_kspace_of_real_images_needs_no_prior(factor: float) -> None:
    operator = MRI.random((1, 48, 48), real=True)
    truth = torch.rand(2, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    y = simulate(operator, truth, GaussianNoise(0.01 * factor), 0)
    problem = InverseProblem(operator, y, GaussianNoise(0.01))
    seen = noise_seen(problem, load_prior("photos-gray"), truth[None])
    assert seen is not None
    torch.testing.assert_close(seen, torch.full((2,), factor).double(), rtol=0.1, atol=0)
    told = noise_warnings(problem, seen)
    assert bool(told) == (factor != 1)
    assert all("opposed frequencies differ as by noise of about" in each for each in told)
    assert all(("mri(real=false)" in each) == (factor > 1) for each in told)


def test_saturated_pixels_are_told_behind_a_blur() -> None:
    shape = (1, 64, 64)
    truth = crop_and_shrink(to_gray(load_image("astronaut")), 64)[None]
    blur = Blur.gaussian(1.6, shape)
    y = simulate(blur, truth, GaussianNoise(0.01), 0)
    for operator, measured, told in (
        (blur, y.clamp(max=0.5), True),
        (blur, y, False),
        (Identity(shape), y.clamp(max=0.5), False),
        (blur, torch.full_like(y, 0.5), False),
        (blur, (255 * y).round().clamp(0, 255) / 255, False),
        (HighDynamicRange(shape), HighDynamicRange(shape)(truth), False),
    ):
        problem = InverseProblem(operator, measured, GaussianNoise(0.01))
        samples = truth[None]
        residual = check_residual(problem, samples)
        found = misfit_warnings(problem, samples, residual, white=True)
        assert any("saturated" in sentence for sentence in found) == told


def test_of_operators_that_are_not_linear_the_size_alone_is_told() -> None:
    """Their samples may not have arrived at y, which is no matter of frequencies."""
    shape = (1, 64, 64)
    truth = crop_and_shrink(to_gray(load_image("astronaut")), 64)[None]
    camera = HighDynamicRange(shape)
    problem = InverseProblem(
        camera, simulate(camera, truth, GaussianNoise(0.0), 0), GaussianNoise(0.0)
    )
    samples = (0.9 * truth)[None]
    (told,) = misfit_warnings(problem, samples, check_residual(problem, samples), white=True)
    assert "times rounding errors, where 1 is expected" in told
    assert "steps are too few" in told


def test_few_numbers_tell_no_level() -> None:
    """A digit of 7 x 7 pixels is none that the prior knows."""
    prior = load_prior("digits")
    small = SuperResolution(4, (1, 28, 28))
    problem = InverseProblem(small, torch.rand(1, 1, 7, 7), GaussianNoise(0.1))
    assert noise_seen(problem, prior, torch.zeros(1, 1, 1, 28, 28)) is None


@pytest.mark.parametrize("waves", [6, 12, 20])
def test_a_band_that_does_not_fit_is_told_by_its_frequency(waves: int) -> None:
    """A residual with ``waves`` along 64 columns, whose band of 0.05 is told by its middle."""
    noise = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    columns = torch.arange(64)
    wave = 0.7 * torch.cos(2 * torch.pi * waves * columns / 64).expand(noise.shape)
    blur = Blur(torch.ones(1, 1), SHAPE)
    problem = InverseProblem(blur, SIGMA * (noise + wave), GaussianNoise(SIGMA))
    samples = torch.zeros(1, 1, *SHAPE)
    (sentence,) = misfit_warnings(problem, samples, check_residual(problem, samples), white=True)
    found = re.search(r"about (0\.\d\d) cycles a pixel and 1\.0", sentence)
    assert found is not None
    assert abs(float(found[1]) - waves / 64) <= 0.03


@pytest.mark.parametrize("smooth", [0.6, 1.0])
def test_noise_that_is_not_white_is_told_from_less_of_it(smooth: float) -> None:
    noise = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    coloured = Blur.gaussian(smooth, SHAPE)(noise)
    coloured = 1.2 * coloured / coloured.std()

    def told(residual: Tensor) -> str:
        problem = InverseProblem(GAUSSIAN, SIGMA * residual, GaussianNoise(SIGMA))
        samples = torch.zeros(1, 1, *SHAPE)
        residual_of = check_residual(problem, samples)
        (sentence,) = misfit_warnings(problem, samples, residual_of, white=True)
        return sentence

    sentence = told(coloured)
    assert "the noise is not white" in sentence
    assert float(sentence.split("A x is ")[1].split()[0]) < 0.85  # at the highest frequencies
    assert "the noise is at most 0.005" in told(0.5 * noise)


@pytest.mark.parametrize(
    ("level", "told"),
    [(0.35, "its kernel first of all"), (0.45, "")],
)
def test_a_band_is_no_sign_of_another_operator_in_heavy_noise(level: float, told: str) -> None:
    """Samples lack a wave of four times the noise's power in its band of a halved picture."""
    operator = SuperResolution(2, SHAPE)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, *SHAPE[1:], generator=generator)
    x = x / operator(x).std() * (1 - level**2) ** 0.5  # so that numbers of y spread by 1
    y = operator(x) + level * torch.randn(1, 1, 32, 32, generator=generator)
    problem = InverseProblem(operator, y, GaussianNoise(level))
    columns = torch.arange(64)
    waves = sum(torch.cos(torch.pi * (k * columns / 32 + k)) for k in (5, 6, 7))
    samples = (x - level * waves)[None]
    sentences = misfit_warnings(problem, samples, check_residual(problem, samples), white=True)
    assert told in "".join(sentences)
    assert bool(told) == any("about" in sentence for sentence in sentences)
