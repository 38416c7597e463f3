"""Masks of k-space lines: their number, centre, spread and seeds."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from invscore.operators.masks import equispaced_lines, gaussian_lines, random_lines

MAKERS = [random_lines, equispaced_lines, gaussian_lines]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("width", [128, 255, 320])
@pytest.mark.parametrize(("acceleration", "fraction"), [(4, 0.08), (8, 0.04), (4, 0.25), (1, 0.1)])
def test_number_of_lines_and_centre(
    make: Callable[..., Tensor], width: int, acceleration: float, fraction: float
) -> None:
    mask = make(width, acceleration, fraction, seed=3)
    assert mask.shape == (width,)
    assert mask.dtype == torch.bool
    assert int(mask.sum()) == round(width / acceleration)
    centre = round(fraction * width)
    first = width // 2 - centre // 2
    assert bool(mask[first : first + centre].all())
    assert first <= width // 2 < first + centre


@pytest.mark.parametrize("make", MAKERS)
def test_seeds(make: Callable[..., Tensor]) -> None:
    assert torch.equal(make(256, seed=0), make(256, seed=0))
    assert any(not torch.equal(make(256, seed=0), make(256, seed=seed)) for seed in (1, 2, 3))


def test_equispaced_lines_are_evenly_spaced() -> None:
    mask = equispaced_lines(320, 8, 0.0, seed=1)
    gaps = mask.nonzero()[:, 0].diff()
    assert gaps.min() == gaps.max() == 8


def test_gaussian_lines_are_denser_near_the_centre() -> None:
    # Without replacement from 1024 lines: few enough draws that the law is nearly the density.
    masks = torch.stack([gaussian_lines(1024, 64, 0.0, seed=seed) for seed in range(40)])
    position = masks.nonzero()[:, 1].double() - 512
    deviation = 15 / 128 * 1024
    # Relative standard error 1 / sqrt(2 * 640) = 2.8 %; the truncation is at 4.3 deviations.
    assert float(position.std()) == pytest.approx(deviation, rel=0.1)
    assert abs(float(position.mean())) < 4 * deviation / 640**0.5


def test_random_lines_are_uniform() -> None:
    masks = torch.stack([random_lines(256, 8, 0.0, seed=seed) for seed in range(40)])
    position = masks.nonzero()[:, 1].double() / 256
    assert float(position.std()) == pytest.approx(12**-0.5, rel=0.05)
    assert float(position.mean()) == pytest.approx(0.5, abs=0.035)


def test_errors() -> None:
    with pytest.raises(
        ValueError, match=r"`acceleration` must lie between 1 and the width 64, got 0.5"
    ):
        random_lines(64, 0.5)
    with pytest.raises(
        ValueError, match=r"`center_fraction` must lie between 0 and 1 / acceleration, .*, got 0.5"
    ):
        equispaced_lines(64, 4, 0.5)
