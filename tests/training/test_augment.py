"""Deformations of images, and the numbers that describe them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from invscore.training.augment import ANGLE, BEND, LABELS, SHEAR, SHIFT, STRETCH, augmented


class Given:
    """Chance that is none: angle, size, ratio, slant in units of one; shift and bend in theirs."""

    def __init__(
        self, four: tuple[float, ...] = (0, 0, 0, 0), shift: Any = (0, 0), bend: Any = 0
    ) -> None:
        units = np.array([ANGLE, STRETCH, STRETCH, SHEAR])
        bends = np.broadcast_to(np.asarray(bend), (1, 2, 3, 3))
        self.numbers = [(np.array(four) / units)[:, None], np.array([shift]), bends]

    def standard_normal(self, shape: Any, dtype: Any) -> np.ndarray:
        number = self.numbers.pop(0).astype(dtype)
        assert number.shape == tuple(np.atleast_1d(shape))
        return np.array(number)


def image(size: int = 24) -> torch.Tensor:
    return torch.rand(1, 2, size, size, generator=torch.Generator().manual_seed(0))


def smooth(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (2 * x + y).sin() + (x - 3 * y).cos()


def plane(size: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Coordinates of pixels, in which the image goes from -1 to 1."""
    centres = (torch.arange(size) + 0.5) * 2 / size - 1
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    return x, y


# What is smooth is off by some 0.006 after PyTorch's cubic interpolation.


def inner(x: torch.Tensor) -> torch.Tensor:
    return x[..., 16:-16, 16:-16]


def test_no_augmentation() -> None:
    same, numbers = augmented(image(), Given())  # type: ignore[arg-type]
    torch.testing.assert_close(same, image(), rtol=0, atol=1e-5)
    assert numbers.shape == (1, LABELS)
    assert not numbers.any()


def test_a_quarter_turn() -> None:
    turned, numbers = augmented(image(), Given((math.pi / 2, 0, 0, 0)))  # type: ignore[arg-type]
    torch.testing.assert_close(turned, image().rot90(1, (2, 3)), rtol=0, atol=1e-4)
    expected = torch.tensor([-1.0, -1.0, 1.0, -1.0]) / ANGLE
    torch.testing.assert_close(numbers[0, :4], expected, rtol=0, atol=1e-5)


def test_a_small_turn_of_an_image_that_is_not_square() -> None:
    x, y = plane()
    wide = smooth(x, y)[None, None, 16:48]  # 32 x 64
    turned, _ = augmented(wide, Given((0.1, 0, 0, 0)))  # type: ignore[arg-type]
    cos, sin = math.cos(0.1), math.sin(0.1)
    expected = smooth(cos * x - sin * y, sin * x + cos * y)[16:48]
    middle = (slice(8, -8), slice(16, -16))
    torch.testing.assert_close(turned[0, 0][middle], expected[middle], rtol=0, atol=0.01)


def test_a_shift_by_whole_pixels() -> None:
    across, down = 2 / 24 / SHIFT, -3 / 24 / SHIFT
    moved, numbers = augmented(image(), Given(shift=(across, down)))  # type: ignore[arg-type]
    expected = image().roll((3, -2), (2, 3))
    torch.testing.assert_close(moved[..., 4:-4, 4:-4], expected[..., 4:-4, 4:-4], atol=1e-4, rtol=0)
    torch.testing.assert_close(numbers[0, 4:6], torch.tensor([across, down]))


def test_stretched_and_slanted() -> None:
    x, y = plane()
    given = Given((0, 0.2, -0.1, 0.3))
    result, numbers = augmented(smooth(x, y)[None, None], given)  # type: ignore[arg-type]
    width, height = math.exp(0.1), math.exp(0.3)
    expected = smooth(width * x + 0.3 * height * y, height * y)
    torch.testing.assert_close(inner(result[0, 0]), inner(expected), rtol=0, atol=0.01)
    matrix = torch.tensor([width - 1, 0.3 * height, 0, height - 1]) / ANGLE
    torch.testing.assert_close(numbers[0, :4], matrix)


def test_bent() -> None:
    x, y = plane()
    alike = np.array([1.0, -2.0])[None, :, None, None]  # a shift, if all points go along
    result, numbers = augmented(smooth(x, y)[None, None], Given(bend=alike))  # type: ignore[arg-type]
    expected = smooth(x + 2 * BEND, y - 4 * BEND)
    torch.testing.assert_close(inner(result[0, 0]), inner(expected), rtol=0, atol=0.01)
    assert numbers[0, 6:].tolist() == [1.0] * 9 + [-2.0] * 9
    one = np.zeros((1, 2, 3, 3))
    one[0, 0, 1, 1] = 1  # the point in the middle
    result, _ = augmented(smooth(x, y)[None, None], Given(bend=one))  # type: ignore[arg-type]
    change = (result[0, 0] - smooth(x, y)).abs()
    assert change[24:40, 24:40].mean() > 5 * change[4:12, 4:12].mean() > 0


def test_values_stay_within_the_range_of_the_image() -> None:
    random = np.random.default_rng(0)
    steps = (image(16) > 0.5).float().expand(50, -1, -1, -1)
    result, _ = augmented(steps, random)
    assert (result.min(), result.max()) == (0, 1)


def test_both_parts_of_complex_images_alike() -> None:
    real, imaginary = image().chunk(2, dim=1)
    both, numbers = augmented(torch.complex(real, imaginary), np.random.default_rng(1))
    apart, same = augmented(image(), np.random.default_rng(1))
    torch.testing.assert_close(torch.view_as_real(both)[:, 0].movedim(-1, 1), apart)
    assert torch.equal(numbers, same)


@pytest.mark.parametrize("column", [*range(LABELS)])
def test_the_numbers_are_standardised(column: int) -> None:
    _, numbers = augmented(torch.zeros(4000, 1, 4, 4), np.random.default_rng(2))
    spread = 1.0 if column >= 4 else {0: 0.85, 1: 1.44, 2: 1.0, 3: 0.87}[column]
    # Eight standard errors, as nearly the same numbers are drawn on every machine.
    assert numbers[:, column].std().item() == pytest.approx(spread, rel=0.1)
    assert numbers[:, column].mean().item() == pytest.approx(0, abs=0.15)
