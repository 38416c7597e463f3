"""The noise level of a measurement, estimated."""

from __future__ import annotations

import pytest
import torch

from invscore import GaussianNoise, estimate_noise, load_prior, simulate
from invscore.bench.held_out import gray_photograph
from invscore.estimation.flattest_regions import flattest_level
from invscore.estimation.noise_level import NoiseRange, estimate_noise_range
from invscore.estimation.noise_of_kspace import level_left
from invscore.operators import (
    MRI,
    Blur,
    CoilMaps,
    CompressedSensing,
    Identity,
    Inpainting,
    LinearOperator,
    NonCartesianMRI,
    SuperResolution,
    Tomography,
    from_function,
    from_matrix,
)
from invscore.operators.coils import birdcage_maps
from invscore.operators.noncartesian import radial_trajectory
from invscore.priors import StationaryGaussianPrior

SHAPE = (1, 48, 48)


def prior_of(shape: tuple[int, ...]) -> StationaryGaussianPrior:
    """Fields rough enough that the finest differences are not noise alone."""
    prior = StationaryGaussianPrior.power_law(
        shape, exponent=3.0, variance=0.04, mean=0.5, dtype=torch.float32
    )
    prior.peak = 1.0
    return prior


PRIOR = prior_of(SHAPE)
X = PRIOR.sample(2, 1)
OPERATORS: dict[str, LinearOperator] = {
    "denoise": Identity(SHAPE),
    "inpaint": Inpainting.random(SHAPE, 0.5),
    "cs": CompressedSensing(SHAPE, 0.5),
    "mri": MRI.random(SHAPE, acceleration=3.0, real=True),
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("sigma", [0.02, 0.1])
def test_where_the_prior_is_right(name: str, sigma: float) -> None:
    operator = OPERATORS[name]
    y = simulate(operator, X, GaussianNoise(sigma), 5)
    found = estimate_noise(operator, y, PRIOR)
    assert found.shape == (2,)
    # 1,000 to 2,000 numbers tell a level to 3 %; half of them, near the field, to 20 %.
    torch.testing.assert_close(found, torch.full((2,), sigma).double(), rtol=0.22, atol=0)


@pytest.mark.parametrize("unit", [1e-30, 1e-18, 1e-6, 255.0, 1e25])
def test_in_any_unit(unit: float) -> None:
    y = simulate(OPERATORS["denoise"], X[:1], GaussianNoise(0.05), 5)
    plain = float(estimate_noise(OPERATORS["denoise"], y, PRIOR))
    found = float(estimate_noise(OPERATORS["denoise"], unit * y, PRIOR)) / unit
    assert found == pytest.approx(plain, rel=0.15)


@pytest.mark.parametrize("boundary", ["circular", "valid"])
def test_blur_leaves_room_for_noise(boundary: str) -> None:
    operator = Blur.gaussian(1.6, SHAPE, boundary=boundary)
    y = simulate(operator, X, GaussianNoise(0.01), 5)
    found = estimate_noise(operator, y)  # by the empty band, no prior
    torch.testing.assert_close(found, torch.full((2,), 0.01).double(), rtol=0.1, atol=0)


def test_a_small_picture_is_a_picture() -> None:
    operator = SuperResolution(2, (1, 96, 96))
    y = X + 0.05 * torch.randn(X.shape, generator=torch.Generator().manual_seed(0))
    found = estimate_noise(operator, y, PRIOR)
    torch.testing.assert_close(found, torch.full((2,), 0.05).double(), rtol=0.15, atol=0)


@pytest.mark.parametrize("name", ["astronaut", "coins"])
def test_texture_is_not_taken_for_noise(name: str) -> None:
    """Small photographs are rougher than those that the prior has seen, but not where flat."""
    operator = SuperResolution(2, (1, 96, 96))
    photo = gray_photograph(name, 96)[None]
    y = simulate(operator, photo, GaussianNoise(0.01), 0 if name == "astronaut" else 4)
    found = float(estimate_noise(operator, y, load_prior("photos-gray")))
    assert found == pytest.approx(0.01, rel=0.15)


def test_opposed_frequencies_need_no_prior() -> None:
    for width in (47, 48):  # opposed columns are told apart by parity
        shape = (1, 40, width)
        operator = MRI((torch.arange(width) - width // 2) % 2 == 0, shape, real=True)
        y = simulate(operator, prior_of(shape).sample(1, 2), GaussianNoise(0.03), 1)
        assert float(estimate_noise(operator, y)) == pytest.approx(0.03, rel=0.08)


def test_frequencies_of_a_volume_are_opposed_along_three_axes() -> None:
    mask = torch.rand(12, 20, 1, generator=torch.Generator().manual_seed(0)) < 0.7
    operator = MRI(mask, (1, 12, 20, 17), real=True, dimensions=3)
    y = simulate(operator, prior_of((1, 12, 20, 17)).sample(1, 2), GaussianNoise(0.03), 1)
    assert float(estimate_noise(operator, y)) == pytest.approx(0.03, rel=0.08)


@pytest.mark.parametrize("width", [71, 72])
@pytest.mark.parametrize("sigma", [0.01, 0.05])
def test_complex_images_leave_room_at_high_frequencies(width: int, sigma: float) -> None:
    """Without a prior: what falls as photographs do."""
    shape = (1, 96, width)
    field = StationaryGaussianPrior.power_law(shape, exponent=4.0, variance=0.04, mean=0.5)
    real, imaginary = field.sample(2, 3).float()
    operator = MRI.random(shape, acceleration=3.0)
    y = simulate(operator, torch.complex(real, imaginary)[None], GaussianNoise(sigma), 2)
    assert float(estimate_noise(operator, y)) == pytest.approx(sigma, rel=0.12)


def test_a_sinogram_is_smooth() -> None:
    smooth = StationaryGaussianPrior.power_law(SHAPE, exponent=4.0, variance=0.04, mean=0.5)
    operator = Tomography(60, SHAPE)
    y = simulate(operator, smooth.sample(1, 0).float(), GaussianNoise(0.02), 0)
    assert float(estimate_noise(operator, y)) == pytest.approx(0.02, rel=0.15)


def test_where_no_estimate_can_be_had() -> None:
    bent = from_function(lambda x: x**2, SHAPE, linear=False)
    with pytest.raises(ValueError, match=r"nonlinear operator.*give the noise level"):
        estimate_noise(bent, X**2, PRIOR)
    few = from_matrix(torch.randn(8, 48 * 48), SHAPE)
    with pytest.raises(ValueError, match=r"64 measured numbers or more, got 8.*give the noise"):
        estimate_noise(few, few(X), PRIOR)
    mixed = from_matrix(torch.randn(100, 48 * 48), SHAPE)
    with pytest.raises(ValueError, match="give the noise level"):
        estimate_noise(mixed, mixed(X), PRIOR)
    with pytest.raises(ValueError, match="give the noise level"):
        estimate_noise(OPERATORS["inpaint"], OPERATORS["inpaint"](X))


def test_what_no_image_explains_is_noise() -> None:
    """Of radial spokes, and of coils on a grid, however much is at the highest frequencies."""
    x = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0))
    maps = birdcage_maps(4, *SHAPE[1:])
    lines = torch.arange(48)[None].expand(48, 48) % 2 == 0
    for operator in (
        NonCartesianMRI(radial_trajectory(30, 96), (48, 48), real=True),
        MRI(lines, maps.shape) @ CoilMaps(maps, True),
    ):
        y = simulate(operator, x, GaussianNoise(0.02), 0)
        assert level_left(operator, y) == pytest.approx(0.02, rel=0.05)
    one = MRI(lines, SHAPE)  # of complex images, which explain all of it
    assert level_left(one, simulate(one, x.to(torch.complex64), GaussianNoise(0.02), 0)) is None


@pytest.mark.parametrize("keep", [0.3, 0.9])
@pytest.mark.parametrize("name", ["rocket", "camera"])
def test_missing_pixels_leave_a_range(name: str, keep: float) -> None:
    """What flat parts have bounds what may be texture as well as noise."""
    photo = gray_photograph(name, 96)[None]
    operator = Inpainting.random((1, 96, 96), keep)
    y = simulate(operator, photo, GaussianNoise(0.03), 0)
    found = estimate_noise_range(operator, y, load_prior("photos-gray"))
    assert float(found.level) == pytest.approx(0.03, rel=0.15)
    assert 0.85 * float(found.low) < 0.03 < 1.15 * float(found.high)
    assert float(found.low) <= float(found.level) <= float(found.high)


def test_a_range_is_told() -> None:
    sure, open_ = (torch.tensor([each]) for each in (0.02, 0.03))
    assert str(NoiseRange(sure, sure, sure)) == "noise 0.02, estimated from the measurement"
    told = str(NoiseRange(sure, sure, open_))
    assert "with pixels missing it may be 0.02 to 0.03: give --noise" in told


def test_a_range_has_room_for_texture_in_small_pictures() -> None:
    """Of 64 x 64 pixels, which are flat nowhere: noise and texture look alike there."""
    photo = gray_photograph("astronaut", 64)[None]
    operator = Inpainting.random((1, 64, 64), 0.3)
    y = simulate(operator, photo, GaussianNoise(0.01), 0)
    found = estimate_noise_range(operator, y, load_prior("photos-gray"))
    assert float(found.low) < 0.01 < float(found.high)
    assert "it may be" in str(found)


@pytest.mark.parametrize("size", [64, 128])
def test_the_flattest_of_white_noise_have_its_level(size: int) -> None:
    """In the mean: that they are the least of many is undone."""
    levels = []
    for seed in range(8):
        random = torch.Generator().manual_seed(seed)
        measured = torch.rand(1, size, size, generator=random) < 0.3
        found = flattest_level(torch.randn(1, size, size, generator=random), measured)
        assert found is not None
        assert found.least == pytest.approx(found.most, rel=0.25)
        levels.append(found.most)
    assert sum(levels) / len(levels) == pytest.approx(1.0, rel=0.06)
