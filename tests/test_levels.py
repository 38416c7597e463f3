"""Noise levels: their ends, their order, and DDPM's against its own product."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from invscore import levels
from invscore.batches import PerImage
from invscore.priors import Prior


class Flat(Prior):
    """A prior that knows its numbers alone."""

    mean = 0.0

    def __init__(self, variance: float, peak: float | None = None, **ends: float) -> None:
        self.variance, self.peak = variance, peak
        vars(self).update(ends)

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:  # noqa: ARG002
        return torch.zeros_like(x)


def test_ends() -> None:
    assert levels.widest(Flat(0.0625)) == 20 * 0.25
    assert levels.widest(Flat(0.0625, sigma_max=3.0)) == 3.0
    assert levels.finest(Flat(0.0625)) == pytest.approx(0.008 * 0.25)
    assert levels.finest(Flat(0.0625, sigma_min=0.1)) == 0.1


def test_levels_between() -> None:
    """In standard deviations of a pixel, as the documentation of methods says them."""
    prior, narrow = Flat(0.0625), Flat(0.0625, sigma_min=0.03, sigma_max=0.4)
    named = (levels.wide, levels.guessed, levels.smoothing, levels.fine)
    assert [level(prior) / 0.25 for level in named] == pytest.approx([4, 2, 0.1, 0.04])
    assert [level(narrow) for level in named] == [0.4, 0.4, 0.03, 0.03]
    assert levels.of_pixel(prior, 0.6) == pytest.approx(0.15)
    ends = levels.annealed(prior, 2)
    assert [level / 0.25 for level in ends] == pytest.approx([0.8, 0.04])


def test_geometric() -> None:
    sigmas = levels.geometric(9, 20.0, 0.05)
    assert (len(sigmas), sigmas[0]) == (9, 20.0)
    assert sigmas[-1] == pytest.approx(0.05, rel=1e-12)
    for sigma, lower in pairwise(sigmas):
        assert lower / sigma == pytest.approx(400 ** (-1 / 8), rel=1e-12)
    assert levels.geometric(1, 20.0, 0.05) == [20.0]
    assert {type(sigma) for sigma in sigmas} == {float}


def test_karras() -> None:
    sigmas = levels.karras(18, 80.0, 0.002)
    assert (len(sigmas), sigmas[-1]) == (19, 0.0)
    # Karras et al. 2022, Eq. 5, at i = 0, 5 and 17 of N = 18.
    for i in (0, 5, 17):
        expected = (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
        assert sigmas[i] == pytest.approx(expected, rel=1e-12)
    assert all(sigma > lower for sigma, lower in pairwise(sigmas))
    assert {type(sigma) for sigma in sigmas} == {float}
    assert levels.karras(3, 4.0, 1.0, rho=1.0) == pytest.approx([4.0, 2.5, 1.0, 0.0])


def remaining(time: int) -> float:
    """``abar_t`` of Ho et al. 2020 with T = 1000, by its definition."""
    product = 1.0
    for t in range(1, time + 1):
        product *= 1 - (1e-4 + (0.02 - 1e-4) * (t - 1) / 999)
    return product


@pytest.mark.parametrize("peak", [None, 1.0, 255.0])
def test_ddpm_at_every_time(peak: float | None) -> None:
    unit = 1.0 if peak is None else peak / 2
    sigmas = levels.ddpm(1000, Flat(unit**2, peak), 200 * unit)
    assert (len(sigmas), sigmas[-1]) == (1001, 0.0)
    assert all(sigma > lower for sigma, lower in pairwise(sigmas))
    for time in (1, 2, 10, 500, 999, 1000):
        abar = remaining(time)
        assert sigmas[1000 - time] == pytest.approx(unit * ((1 - abar) / abar) ** 0.5, rel=1e-9)
    assert {type(sigma) for sigma in sigmas} == {float}


def test_ddpm_begins_where_it_is_told() -> None:
    sigmas = levels.ddpm(50, Flat(0.0625, peak=1.0), 7.0)
    assert sigmas[0] == pytest.approx(7.0, rel=1e-9)
    assert sigmas[-2] == pytest.approx(0.5 * (1e-4 / (1 - 1e-4)) ** 0.5, rel=1e-9)
    assert len(sigmas) == 51
    assert all(sigma > lower for sigma, lower in pairwise(sigmas))


def test_ddpm_ends_small_beside_the_images_and_where_the_prior_does() -> None:
    small = levels.ddpm(50, Flat(1e-6), 0.16)
    assert small[0] == pytest.approx(0.16, rel=1e-9)
    assert small[-2] == pytest.approx(4e-3 * (1e-4 / (1 - 1e-4)) ** 0.5, rel=1e-9)
    bounded = levels.ddpm(50, Flat(0.0625, peak=1.0, sigma_min=0.02), 7.0)
    assert bounded[-2:] == [pytest.approx(0.02, rel=1e-9), 0.0]
    assert all(sigma > lower for sigma, lower in pairwise(bounded))
