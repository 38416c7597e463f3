"""What is black and white in pictures."""

from __future__ import annotations

import pytest
import torch

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import Identity
from invscore.tasks.pictures import Window, measurement_picture, window_of

X = torch.rand(1, 64, 64, generator=torch.Generator().manual_seed(0))


def test_photographs_are_shown_as_they_are() -> None:
    noisy = X + 0.02 * torch.randn(X.shape, generator=torch.Generator().manual_seed(1))
    for image in (X, 0.4 * X, noisy):
        assert window_of(image) == Window(0.0, 1.0)
    assert window_of(250 * X, 255.0) == Window(0.0, 255.0)


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 30.0, 1e6])
def test_other_units(factor: float) -> None:
    window = window_of(factor * X)
    assert window.low == 0
    assert window.high == pytest.approx(factor, rel=0.01)
    assert window_of(factor * X * 1j).high == pytest.approx(factor, rel=0.01)
    problem = InverseProblem(Identity(X.shape), factor * X[None], GaussianNoise(factor))
    picture = measurement_picture(problem, window)
    assert picture is not None
    torch.testing.assert_close(picture, X, rtol=0, atol=0.01)


def test_negative_and_raised_values() -> None:
    assert window_of(200 * X - 100).low == pytest.approx(-100, abs=1)
    raised = window_of(1000 + X)
    assert (raised.low, raised.high) == pytest.approx((1000, 1001), abs=0.01)


def test_few_bright_pixels_are_the_image() -> None:
    stars = torch.zeros(1, 64, 64)
    stars[0, 3, 5] = 7.0
    assert window_of(stars) == Window(0.0, 7.0)


@pytest.mark.parametrize("value", [0.0, 3.0, -3.0])
def test_constants(value: float) -> None:
    window = window_of(torch.full((1, 8, 8), value))
    assert window.low < window.high
