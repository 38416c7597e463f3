"""Blur kernels: mass, centre, moments and anti-aliasing."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from invscore.operators.kernels import disk_kernel, gaussian_kernel, motion_kernel


def moments(kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (row, column) from the centre, and the covariance."""
    rows, columns = (torch.arange(n, dtype=torch.float64) - n // 2 for n in kernel.shape)
    positions = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).flatten(1)
    mean = positions @ kernel.flatten()
    centred = positions - mean[:, None]
    return mean, centred * kernel.flatten() @ centred.T


@pytest.mark.parametrize(
    "kernel",
    [gaussian_kernel(1.7), motion_kernel(8.3, 37), disk_kernel(3.3), gaussian_kernel(2, 15)],
)
def test_kernels_are_centred_positive_and_sum_to_one(kernel: Tensor) -> None:
    assert kernel.dtype == torch.float64
    assert float(kernel.min()) >= 0
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close(moments(kernel)[0], torch.zeros(2).double(), rtol=0, atol=1e-12)


def test_gaussian_against_scipy() -> None:
    point = np.zeros((13, 13))
    point[6, 6] = 1
    expected = ndimage.gaussian_filter(point, 1.5, truncate=4.0)
    np.testing.assert_allclose(gaussian_kernel(1.5), expected, rtol=1e-12)


def test_even_gaussian_peaks_at_its_centre() -> None:
    kernel = gaussian_kernel(1.0, 6)
    assert kernel.shape == (6, 6)
    assert int(kernel.argmax()) == 3 * 6 + 3


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 135.0])
def test_motion_has_the_covariance_of_a_line(angle: float) -> None:
    length = 9.0
    _, covariance = moments(motion_kernel(length, angle))
    a = math.radians(angle)
    direction = torch.tensor([-math.sin(a), math.cos(a)], dtype=torch.float64)
    across = torch.tensor([math.cos(a), math.sin(a)], dtype=torch.float64)
    # The interpolation adds at most 1/4 pixel^2 to an axis (1/6 on average).
    assert 0 <= float(direction @ covariance @ direction) - length**2 / 12 <= 0.26
    assert 0 <= float(across @ covariance @ across) <= 0.26
    assert abs(float(across @ covariance @ direction)) < 0.1


def test_angles_are_counter_clockwise() -> None:
    kernel = motion_kernel(9, 45)
    assert float(kernel[0:5, 6:].sum()) > 0.3  # the upper right has half the line
    assert float(kernel[0:5, :5].sum()) < 0.05


def test_disk_covers_pixels_in_part() -> None:
    radius = 3.3
    kernel = disk_kernel(radius)
    assert kernel.shape == (7, 7)
    # A covered pixel has weight 1 / area, a corner none, an edge something between.
    assert float(kernel[3, 3]) == pytest.approx(1 / (math.pi * radius**2), rel=2e-3)
    assert float(kernel[0, 0]) == 0
    assert 0 < float(kernel[0, 3]) < float(kernel[3, 3])
    _, covariance = moments(kernel)
    expected = radius**2 / 4 + 1 / 12
    assert float(covariance[0, 0]) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_widths_must_be_positive(value: float) -> None:
    for make, name in (
        (gaussian_kernel, "sigma"),
        (motion_kernel, "length"),
        (disk_kernel, "radius"),
    ):
        with pytest.raises(
            ValueError, match=f"`{name}` must be a positive number of pixels, got {value}"
        ):
            make(value)
    with pytest.raises(ValueError, match="`size` must be a positive number of pixels, got 0"):
        gaussian_kernel(1.0, 0)
    with pytest.raises(ValueError, match=r"`angle` must be .*, got inf"):
        motion_kernel(3.0, math.inf)
