"""Cameras: response curve, saturation, clipping."""

import pytest
import torch

from invscore.operators import Blur, CameraBlur, HighDynamicRange
from invscore.operators.camera import linear_light, pixel_values

KERNEL = torch.rand(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
KERNEL /= KERNEL.sum()
POINT = torch.ones(1, 1, dtype=torch.float64)


def test_the_response_is_that_of_srgb() -> None:
    # The middle of 8 bits is 21.4 % of the light (IEC 61966-2-1), and the curve meets a line.
    values = torch.tensor([0.0, 0.02, 0.5, 188 / 255, 1.0], dtype=torch.float64)
    expected = torch.tensor([0, 0.02 / 12.92, 0.214041, 0.502886, 1.0], dtype=torch.float64)
    torch.testing.assert_close(linear_light(values), expected, rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(pixel_values(expected), values, rtol=1e-5, atol=1e-9)
    wide = torch.linspace(-0.5, 1.5, 101, dtype=torch.float64)
    torch.testing.assert_close(pixel_values(linear_light(wide)), wide, rtol=1e-6, atol=1e-6)


def test_without_blur_and_saturation_nothing_happens() -> None:
    x = torch.rand(2, 3, 6, 7, dtype=torch.float64)
    torch.testing.assert_close(CameraBlur(POINT, (3, 6, 7))(x), x, rtol=1e-6, atol=1e-6)


def test_light_is_what_adds_up() -> None:
    x = torch.rand(2, 3, 6, 7, dtype=torch.float64)
    y = CameraBlur(KERNEL, (3, 6, 7))(x)
    expected = Blur(KERNEL, (3, 6, 7))(linear_light(x))
    torch.testing.assert_close(linear_light(y), expected, rtol=1e-6, atol=1e-8)
    # A white point on black, spread over four pixels, looks brighter than a quarter of white.
    point = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    point[..., 4, 4] = 1
    spread = CameraBlur(torch.full((2, 2), 0.25, dtype=torch.float64), (1, 8, 8))(point)
    assert float(spread.max()) == pytest.approx(0.5371, abs=1e-4)


def test_what_saturates_tells_nothing() -> None:
    operator = CameraBlur(POINT, (1, 1, 3), exposure=2.0)
    x = torch.tensor([0.2, 0.7, 0.8], dtype=torch.float64).reshape(1, 1, 1, 3)
    y = operator(x)
    assert linear_light(y).flatten().tolist() == pytest.approx(
        [2 * 0.033105, 2 * 0.447988, 1], rel=1e-4
    )
    gradient = operator.vjp(x, torch.ones_like(y)).flatten()
    assert abs(float(gradient[2])) < 1e-12
    # dy/dx = e g'(e l) / g'(l), about e^(1 / 2.4) where the curve is nearly a power.
    assert float(gradient[1]) == pytest.approx(2 ** (1 / 2.4), rel=0.02)


def test_high_dynamic_range_in_the_units_of_the_papers() -> None:
    x = torch.linspace(0, 1, 41, dtype=torch.float64).reshape(1, 1, 1, 41)
    papers = torch.clip(2 * (2 * x - 1), -1, 1)
    operator = HighDynamicRange((1, 1, 41))
    torch.testing.assert_close(operator(x), (papers + 1) / 2)
    gradient = operator.vjp(x, torch.ones_like(x)).flatten()
    assert gradient[:10].eq(0).all()
    assert gradient[11:30].eq(2).all()
    assert gradient[31:].eq(0).all()


def test_errors() -> None:
    with pytest.raises(ValueError, match="`exposure` must be a positive number, got 0"):
        CameraBlur(POINT, (1, 4, 4), exposure=0)
    with pytest.raises(ValueError, match="`factor` must be a positive number, got -1"):
        HighDynamicRange((1, 4, 4), factor=-1)
