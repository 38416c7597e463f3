"""MRI along any trajectory, beside the explicit Fourier sum."""

import math

import pytest
import torch

from invscore.operators import MRI, NonCartesianMRI, check_operator
from invscore.operators.noncartesian import (
    density_compensation,
    radial_trajectory,
    spiral_trajectory,
)

pytest.importorskip("pytorch_finufft")

generator = torch.Generator().manual_seed(0)
SIZE = 16
MAPS = torch.randn(3, SIZE, SIZE, dtype=torch.complex128, generator=generator)
PATHS = {"radial": radial_trajectory(7, 24), "spiral": spiral_trajectory(3, 40, 4.0)}


@pytest.mark.parametrize("path", PATHS)
def test_samples_are_those_of_the_fourier_sum(path: str) -> None:
    omega = PATHS[path]
    x = torch.randn(2, 1, SIZE, SIZE, dtype=torch.complex128, generator=generator)
    place = torch.arange(SIZE, dtype=torch.float64) - SIZE // 2
    angle = omega[0, :, None, None] * place[:, None] + omega[1, :, None, None] * place
    waves = torch.exp(-1j * angle) / SIZE
    expected = torch.einsum("nhw,chw,bhw->bcn", waves, MAPS, x[:, 0])
    double = NonCartesianMRI(omega, MAPS)(x)
    single = NonCartesianMRI(omega, MAPS)(x.to(torch.complex64))
    scale = expected.abs().max()
    assert float((double - expected).abs().max() / scale) < 1e-9
    assert float((single - expected).abs().max() / scale) < 1e-5


def test_it_keeps_the_contract() -> None:
    for real in (False, True):
        check_operator(NonCartesianMRI(PATHS["radial"], MAPS, real)).raise_if_failed()


def test_a_cartesian_grid_is_mri() -> None:
    place = 2 * math.pi / SIZE * (torch.arange(SIZE, dtype=torch.float64) - SIZE // 2)
    omega = torch.stack([g.flatten() for g in torch.meshgrid(place, place, indexing="ij")])
    x = torch.randn(1, 1, SIZE, SIZE, dtype=torch.complex128, generator=generator)
    y = NonCartesianMRI(omega, (SIZE, SIZE))(x)
    whole = MRI(torch.ones(SIZE, SIZE, dtype=torch.bool))(x)
    torch.testing.assert_close(y.reshape(1, 1, SIZE, SIZE), whole, rtol=1e-9, atol=1e-9)
    density = density_compensation(omega, (SIZE, SIZE))
    torch.testing.assert_close(density, torch.ones_like(density), rtol=0.02, atol=0.02)


def test_density_of_spokes_grows_with_the_radius() -> None:
    spokes, samples = 40, 32
    omega = radial_trajectory(spokes, samples)
    density = density_compensation(omega, (SIZE, SIZE)).reshape(spokes, samples).mean(dim=0)
    radius = omega.norm(dim=0).reshape(spokes, samples)[0]
    inner = (radius > 0.5) & (radius < 2.2)
    slope = density[inner] / radius[inner]
    torch.testing.assert_close(slope, slope.mean().expand_as(slope), rtol=0.1, atol=0)


def test_gridding_finds_a_smooth_image() -> None:
    place = (torch.arange(32, dtype=torch.float64) - 16) / 5
    image = torch.exp(-0.5 * (place[:, None] ** 2 + place**2))[None, None] + 0j
    maps = torch.polar(torch.ones(2, 32, 32).double(), 0.1 * place.expand(2, 32, 32))
    omega = radial_trajectory(60, 64)
    operator = NonCartesianMRI(omega, maps)
    plain = operator.gridded(operator(image))
    assert float((plain - image).abs().max()) < 0.08


def test_golden_spokes_go_through_the_centre() -> None:
    omega = radial_trajectory(5, 10).reshape(2, 5, 10)
    assert float(omega[:, :, 5].abs().max()) == 0
    angles = torch.atan2(omega[1, :, 9], omega[0, :, 9])
    steps = torch.remainder(angles.diff(), math.pi)
    torch.testing.assert_close(steps.rad2deg(), torch.full_like(steps, 111.246), rtol=0, atol=1e-2)
