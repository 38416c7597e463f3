"""The offset of images that go far below 0."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from invscore import (
    GaussianNoise,
    GaussianPrior,
    InverseProblem,
    estimate_noise,
    reconstruct,
    simulate,
)
from invscore.estimation import offset as offset_module
from invscore.estimation.noise_map import with_noise_map
from invscore.estimation.offset import estimate_offset
from invscore.many import split
from invscore.operators import (
    MRI,
    Blur,
    Identity,
    Inpainting,
    LinearOperator,
    SuperResolution,
    from_function,
)
from invscore.priors import StationaryGaussianPrior

SHAPE = (1, 32, 32)
PRIOR = StationaryGaussianPrior.power_law(SHAPE, exponent=2.5, variance=0.03, mean=0.5)
PRIOR.peak = 1.0
PHOTO = PRIOR.sample(1, 3).clamp(0, 1)
OPERATORS: dict[str, LinearOperator] = {
    "denoise": Identity(SHAPE),
    "blur": Blur.gaussian(1.2, SHAPE),
    "valid": Blur.gaussian(1.0, SHAPE, boundary="valid"),
    "inpaint": Inpainting.random(SHAPE, 0.4),
    "superres": SuperResolution(2, SHAPE),
}


def problem_of(operator: LinearOperator, x: Tensor, noise: float) -> InverseProblem:
    return InverseProblem(operator, simulate(operator, x, GaussianNoise(noise), 0), noise)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2])
def test_of_hounsfield_units(name: str, noise: float) -> None:
    found = estimate_offset(problem_of(OPERATORS[name], 2000 * PHOTO - 1000, 2000 * noise), PRIOR)
    assert -1000 < float(found) < -600


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("noise", [0.02, 0.3, 2.0])
def test_noise_about_dark_pixels_is_none(name: str, noise: float) -> None:
    dark = PHOTO.clone()
    dark[..., :16, :] = 0
    assert float(estimate_offset(problem_of(OPERATORS[name], dark, noise), PRIOR)) == 0


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2])
def test_of_kelvins(name: str, noise: float) -> None:
    found = estimate_offset(problem_of(OPERATORS[name], 20 * PHOTO + 280, 20 * noise), PRIOR)
    assert 279 < float(found) < 289


def test_a_little_below_zero_is_left_alone() -> None:
    """Up to a twentieth of the range; from a tenth on all is moved."""
    ramp = torch.linspace(0, 1, 1024, dtype=torch.float64).reshape(1, *SHAPE)
    for below, moved in ((0.03, 0.0), (0.055, 0.0), (0.13, 1.0), (0.3, 1.0)):
        found = float(estimate_offset(problem_of(Identity(SHAPE), ramp - below, 1e-4), PRIOR))
        assert found == pytest.approx(-moved * below, abs=0.02)


@pytest.mark.parametrize("name", OPERATORS)
def test_even_and_bright_pictures_have_none(name: str) -> None:
    for bright in (torch.full_like(PHOTO, 0.8), 0.4 + 0.5 * PHOTO, 100 * (0.5 + PHOTO)):
        size = float(bright.max())
        assert float(estimate_offset(problem_of(OPERATORS[name], bright, 0.05 * size), PRIOR)) == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 7), (1, 400), (3, 90), (16, 16)])
def test_small_pictures_end_in_a_number(size: tuple[int, int]) -> None:
    shape = (1, *size)
    prior = GaussianPrior(torch.full(shape, 0.5, dtype=torch.float64), 0.04)
    prior.peak = 1.0
    for mean in (-1000.0, 0.0, 1000.0):
        y = mean + torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)).double()
        found = estimate_offset(InverseProblem(Identity(shape), y, GaussianNoise(1.0)), prior)
        assert found.isfinite().all()
        assert bool((found != 0).all()) == (mean < 0 and size[0] * size[1] >= 256)


def test_a_prior_of_both_signs_has_none() -> None:
    signed = StationaryGaussianPrior.power_law(SHAPE, exponent=2.5, variance=0.03, mean=0.0)
    signed.peak = 1.0
    assert float(estimate_offset(problem_of(Identity(SHAPE), PHOTO - 0.5, 0.01), signed)) == 0


def test_what_shows_no_pictures_has_none() -> None:
    low = 2000 * PHOTO - 1000
    spectrum = MRI.random(SHAPE, real=True)
    assert float(estimate_offset(problem_of(spectrum, low, 1.0), PRIOR)) == 0
    square = from_function(lambda x: x**3, SHAPE, linear=False)
    problem = InverseProblem(square, PHOTO - 0.5, GaussianNoise(0.1))
    assert float(estimate_offset(problem, PRIOR)) == 0
    absolute = StationaryGaussianPrior.power_law(SHAPE, exponent=2.5, variance=0.03, mean=0.5)
    assert float(estimate_offset(problem_of(Identity(SHAPE), low, 1.0), absolute)) == 0


def test_a_noise_map_changes_little() -> None:
    low = 2000 * PHOTO - 1000
    y = low + 40 * torch.randn(low.shape, generator=torch.Generator().manual_seed(0)).double()
    even = InverseProblem(Identity(SHAPE), y, GaussianNoise(40.0))
    mapped = with_noise_map(Identity(SHAPE), y, torch.full(SHAPE, 1600.0))
    expected = estimate_offset(even, PRIOR)
    torch.testing.assert_close(estimate_offset(mapped, PRIOR), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", OPERATORS)
def test_units_below_zero_are_restored_as_others(name: str) -> None:
    operator, noise = OPERATORS[name], GaussianNoise(100.0)
    counts = simulate(operator, 2000 * PHOTO, noise, 0)
    plain = reconstruct(InverseProblem(operator, counts, noise), PRIOR, samples=2)
    low = counts - operator(torch.full_like(PHOTO, 1000))
    problem = InverseProblem(operator, low, noise)
    result = reconstruct(problem, PRIOR, samples=2)
    assert result.problem is problem
    assert -1000 < result.offset < -600
    assert abs(result.residual - plain.residual) < 0.05
    error = (result.mean + 1000 - 2000 * PHOTO).square().mean().sqrt()
    assert error < 1.1 * (plain.mean - 2000 * PHOTO).square().mean().sqrt()
    declared = reconstruct(problem, PRIOR, samples=2, scale=2000.0)
    assert declared.offset == 0


def test_each_image_of_a_batch_by_itself() -> None:
    both = torch.cat([PHOTO, 2000 * PHOTO - 1000])
    noise = torch.tensor([0.05, 100.0], dtype=torch.float64)
    y = simulate(Identity(SHAPE), both, GaussianNoise(noise), 0)
    result = reconstruct(InverseProblem(Identity(SHAPE), y, GaussianNoise(noise)), PRIOR, samples=2)
    first, second = split(result, PRIOR)
    assert first.offset == 0
    assert -1000 < second.offset < -600
    torch.testing.assert_close(result.offset, torch.tensor([0.0, second.offset]).double())
    assert (second.mean - both[1]).abs().mean() < 100


@pytest.mark.parametrize("name", ["denoise", "blur", "superres"])
def test_the_noise_is_estimated_below_zero_too(name: str) -> None:
    operator = OPERATORS[name]
    counts = simulate(operator, 2000 * PHOTO, GaussianNoise(100.0), 0)
    low = counts - operator(torch.full_like(PHOTO, 1000))
    plain = float(estimate_noise(operator, counts, PRIOR))
    assert float(estimate_noise(operator, low, PRIOR)) == pytest.approx(plain, rel=0.1)


def test_some_numbers_of_a_large_picture_tell_its_darkest(monkeypatch: pytest.MonkeyPatch) -> None:
    """To a tenth of their share: of a ramp with noise, also where it runs along rows."""
    ramp = torch.linspace(-1000, 800, 256, dtype=torch.float64)
    noise = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(0)).double()
    level = torch.tensor([10.0], dtype=torch.float64)
    for picture in (ramp.expand(256, 256), ramp.expand(256, 256).mT):
        y = picture + 10 * noise
        operator = Identity((1, 256, 256))
        few = offset_module.offset_of_pictures(operator, y, level)
        monkeypatch.setattr(offset_module, "ENOUGH", 2**20)
        whole = offset_module.offset_of_pictures(operator, y, level)
        monkeypatch.undo()
        assert 0 < float((few - whole).abs()) < 2  # a tenth of a percent of the range
