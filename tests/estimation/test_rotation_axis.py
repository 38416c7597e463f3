"""The axis of a tomograph, by its projections."""

from __future__ import annotations

import pytest
import torch

from invscore.estimation.rotation_axis import another_axis, rotation_axis
from invscore.operators import FanBeam, Tomography

SHAPE = (1, 32, 32)


def image() -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    disc = ((rows - 12) ** 2 + (columns - 19) ** 2 < 60).float()
    return (disc + 0.5 * (rows > 20) * (rows < 26) * (columns > 8) * (columns < 12))[None, None]


@pytest.mark.parametrize("span", [180.0, 120.0])
@pytest.mark.parametrize("center", [20.0, 24.3, 27.0])
def test_the_column_of_the_axis(span: float, center: float) -> None:
    operator = Tomography(30, SHAPE, 50, span, center=center)
    clean = operator(image())
    found = rotation_axis(operator, clean)
    assert found is not None
    assert found[0] == pytest.approx(center, abs=0.03)  # of Joseph's interpolation
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    noisy = rotation_axis(operator, clean + 0.02 * clean.max() * noise)
    assert noisy is not None
    assert abs(noisy[0] - center) < 4 * noisy[1] < 2.0


def test_what_is_told() -> None:
    y = Tomography(30, SHAPE, 50, center=27.0)(image())
    (told,) = another_axis(Tomography(30, SHAPE, 50), y, "'y.npy'")
    assert told.startswith("the projections in 'y.npy' turn about column 27.0 of their detectors")
    assert told.endswith("and not about 24.5, as `center` says: center=27.0")
    assert another_axis(Tomography(30, SHAPE, 50, center=27.0), y, "y") == ()
    assert another_axis(Tomography(30, SHAPE, 50, center=26.2), y, "y") == ()


def test_what_tells_nothing() -> None:
    """Images beyond the detectors, few projections, noise alone, and the rays of a fan."""
    beyond = torch.zeros(1, *SHAPE)
    beyond[..., 2:30, 20:30] = 1.0
    narrow = Tomography(30, SHAPE, 20, center=9.0)
    assert rotation_axis(narrow, narrow(beyond)) is None
    few = Tomography(5, SHAPE, 50, center=27.0)
    assert rotation_axis(few, few(image())) is None
    middle = Tomography(30, SHAPE, 50)
    noise = torch.randn(1, 1, 30, 50, generator=torch.Generator().manual_seed(0))
    assert another_axis(middle, noise, "y") == ()
    assert another_axis(middle, 0 * noise, "y") == ()
    fan = FanBeam(30, SHAPE, 50, source_distance=3.0, center=30.0)
    assert another_axis(FanBeam(30, SHAPE, 50, source_distance=3.0), fan(image()), "y") == ()
