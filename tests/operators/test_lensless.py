"""A camera without a lens, beside SciPy's whole convolution."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from invscore.operators import Lensless, check_operator

generator = torch.Generator().manual_seed(0)
KERNEL = torch.rand(9, 14, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("sensor", [None, (9, 14), (5, 6), (6, 7), (1, 1), (15, 18)])
def test_a_sensor_sees_the_middle_of_the_whole_convolution(
    sensor: tuple[int, int] | None,
) -> None:
    x = torch.rand(2, 1, 7, 5, dtype=torch.float64, generator=generator)
    operator = Lensless(KERNEL, (1, 7, 5), sensor)
    rows, columns = (9, 14) if sensor is None else sensor
    assert operator.out_shape == (1, rows, columns)
    for image, seen in zip(x, operator(x), strict=True):
        light = convolve2d(image[0].numpy(), KERNEL.numpy(), mode="full")
        top, left = (light.shape[0] - rows) // 2, (light.shape[1] - columns) // 2
        expected = light[top : top + rows, left : left + columns]
        np.testing.assert_allclose(seen[0].numpy(), expected, rtol=1e-12, atol=1e-12)


def test_it_keeps_the_contract() -> None:
    for sensor in (None, (4, 20)):
        check_operator(Lensless(KERNEL, (3, 8, 12), sensor)).raise_if_failed()


def test_a_point_in_the_middle_makes_the_kernel() -> None:
    point = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    point[..., 2, 2] = 1
    torch.testing.assert_close(Lensless(KERNEL, (1, 5, 5))(point)[0, 0], KERNEL)


@pytest.mark.parametrize(
    ("kernel", "shape", "sensor", "sentence"),
    [
        (KERNEL, (8, 8), None, r"`in_shape` must be that of an image, \(c, h, w\)"),
        (KERNEL, (1, 7, 5), (16, 4), "from 1 to 15 rows and 18 columns, where light falls, got 16"),
        (KERNEL[0], (1, 7, 5), None, r"the `kernel` must have the shape \(kh, kw\)"),
        (0 * KERNEL, (1, 7, 5), None, "the `kernel` must have a sum other than 0"),
    ],
)
def test_what_is_refused(
    kernel: torch.Tensor, shape: tuple[int, ...], sensor: tuple[int, int] | None, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Lensless(kernel, shape, sensor)
