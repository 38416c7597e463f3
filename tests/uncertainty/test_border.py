"""Residuals along the border, of blurs that assume something of what lies beyond."""

from __future__ import annotations

import pytest
import torch

from invscore.likelihood import GaussianNoise, InverseProblem, simulate
from invscore.operators import Blur, CameraBlur, Identity, Operator
from invscore.operators.kernels import gaussian_kernel
from invscore.uncertainty.border import border_warnings
from invscore.uncertainty.standardised import residuals

KERNEL = gaussian_kernel(1.0)  # 9 x 9
NOISE = GaussianNoise(0.01)
# A ramp, which no periodic image is.
RAMP = torch.linspace(0, 1, 48).expand(2, 1, 48, 48)
SEEN = RAMP[..., 4:44, 4:44]


def measured(operator: Operator, x: torch.Tensor) -> torch.Tensor:
    return simulate(operator, x, NOISE, 0)


def told(problem: InverseProblem, samples: torch.Tensor) -> tuple[str, ...]:
    return border_warnings(problem, residuals(problem, samples))


def test_a_scene_that_goes_on() -> None:
    y = measured(Blur(KERNEL, (1, 48, 48), boundary="valid"), RAMP)
    periodic = InverseProblem(Blur(KERNEL, (1, 40, 40)), y, NOISE)
    (sentence,) = told(periodic, SEEN[None])
    assert "within 4 pixels of the border and 0.99 times inside" in sentence
    assert "the scene is not periodic" in sentence
    assert "boundary=valid" in sentence
    whole = InverseProblem(Blur(KERNEL, (1, 48, 48), boundary="valid"), y, NOISE)
    assert told(whole, RAMP[None]) == ()


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
@pytest.mark.parametrize("camera", [True, False])
def test_what_fits_is_not_spoken_of(boundary: str, camera: bool) -> None:
    operator: Operator = Blur(KERNEL, (1, 40, 40), boundary=boundary)
    if camera:
        operator = CameraBlur(KERNEL, (1, 40, 40), boundary=boundary)
    problem = InverseProblem(operator, measured(operator, SEEN), NOISE)
    assert told(problem, SEEN.expand(3, *SEEN.shape)) == ()


def test_a_residual_large_everywhere_is_not_the_border() -> None:
    operator = Blur(KERNEL, (1, 40, 40), boundary="reflect")
    y = simulate(operator, SEEN, GaussianNoise(0.05), 0)
    assert told(InverseProblem(operator, y, NOISE), SEEN[None]) == ()


@pytest.mark.parametrize(("size", "least"), [(12, 3.25), (20, 1.88388), (400, 1.3)])
def test_from_which_ratio_on(size: int, least: float) -> None:
    """Of mean squares: 1.3, or what six deviations of chance are of few pixels.

    Of 12 x 12 pixels 16 are inside: ``1 + 6 (2 / 128 + 2 / 16)^(1/2)``.
    """
    problem = InverseProblem(Blur(KERNEL, (1, size, size)), torch.ones(1, 1, size, size), NOISE)
    for ratio, sentences in ((0.99 * least, 0), (1.01 * least, 1)):
        residual = torch.full((1, 1, size, size), ratio**0.5)
        residual[..., 4:-4, 4:-4] = 1.0
        assert len(border_warnings(problem, [residual])) == sentences


def test_others_assume_nothing() -> None:
    problem = InverseProblem(Identity((1, 40, 40)), SEEN + 1, NOISE)
    assert told(problem, SEEN[None]) == ()
    small = Blur(KERNEL, (1, 9, 9))
    tiny = InverseProblem(small, torch.ones(1, 1, 9, 9), NOISE)
    assert told(tiny, torch.zeros(1, 1, 1, 9, 9)) == ()
