"""Cone beams by RTK, beside our own fan in the plane of the source, and a ball."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from invscore.operators import FanBeam, check_operator, from_rtk

itk = pytest.importorskip("itk")

ANGLES = (0.0, 30.0, 75.0, 200.0)
SOURCE, DETECTOR = 100.0, 150.0


@pytest.fixture(scope="module")
def geometry() -> Any:
    if not hasattr(itk, "RTK"):
        pytest.skip("needs itk-rtk")
    made = itk.RTK.ThreeDCircularProjectionGeometry.New()
    for angle in ANGLES:
        made.AddProjection(SOURCE, DETECTOR, angle)
    return made


def test_it_keeps_the_contract(geometry: Any) -> None:
    check_operator(from_rtk(geometry, (1, 4, 6, 7), (5, 9), voxel=2.0)).raise_if_failed()


def test_the_plane_of_the_source_is_a_fan(geometry: Any) -> None:
    """Both interpolate by Joseph's method, so that they agree to rounding, but for the border."""
    x = torch.zeros(1, 1, 7, 16, 16)
    inner = torch.rand(5, 8, 6, generator=torch.Generator().manual_seed(0))
    x[0, 0, 1:-1, 4:12, 5:11] = inner
    cone = from_rtk(geometry, (1, 7, 16, 16), (5, 21), detector_pixel=1.5)(x)[0, :, 2]
    fan = FanBeam(
        ANGLES,
        (1, 16, 16),
        21,
        source_distance=SOURCE,
        detector_distance=DETECTOR - SOURCE,
        pixel=1.0,
        detector_pixel=1.5,
    )(x[:, :, 3])[0, 0]
    torch.testing.assert_close(cone, fan, rtol=1e-4, atol=1e-4)


def test_the_middle_of_a_ball_is_its_diameter(geometry: Any) -> None:
    place = torch.arange(17) - 8.0
    ball = (place[:, None, None] ** 2 + place[:, None] ** 2 + place**2 <= 25).float()[None, None]
    seen = from_rtk(geometry, (1, 17, 17, 17), (3, 3), voxel=0.5)(ball)
    chords = seen[0, :, 1, 1] / (10 * 0.5)
    assert abs(float(chords.mean()) - 1) < 0.03
    assert float((chords - 1).abs().max()) < 0.11  # half a voxel at each end


@pytest.mark.parametrize(
    ("shape", "more", "sentence"),
    [
        ((4, 6, 6), {}, r"must be that of a volume, \(1, d, h, w\)"),
        ((1, 4, 6, 6), {"voxel": 0.0}, "`voxel` must be a positive length, got 0"),
        ((1, 4, 6, 6), {"detector_pixel": math.inf}, "`detector_pixel` must be a positive length"),
    ],
)
def test_what_is_refused(
    geometry: Any, shape: tuple[int, ...], more: dict[str, float], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        from_rtk(geometry, shape, (5, 5), **more)
    with pytest.raises(ValueError, match="must be a ThreeDCircularProjectionGeometry of RTK, got"):
        from_rtk(object(), shape, (5, 5))
