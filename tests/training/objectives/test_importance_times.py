"""Times drawn where they matter: their law, and what they do to the loss of a process."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from invscore.processes import VP
from invscore.training.objectives import ImportanceTimes, process_score_matching

FIRST, LAST = 1e-3, 1.0


def test_samples_have_the_density() -> None:
    times = ImportanceTimes(lambda t: 1 / t, FIRST, LAST)
    t = times.sample(20_000, np.random.default_rng(0))
    assert t.dtype == torch.float64
    assert FIRST <= t.min() <= t.max() <= LAST
    # log t is uniform where the rate is 1 / t.
    assert (
        stats.kstest(t.log().numpy(), stats.uniform(math.log(FIRST), -math.log(FIRST)).cdf)[1]
        > 0.001
    )
    expected = 1 / (t * math.log(LAST / FIRST))
    torch.testing.assert_close(times.density(t), expected, rtol=1e-3, atol=0)


def test_the_density_is_that_of_the_samples_even_in_coarse_cells() -> None:
    times = ImportanceTimes(lambda t: t**3, 0.1, 2.0, cells=3)
    edges = np.geomspace(0.1, 2.0, 4)
    t = times.sample(30_000, np.random.default_rng(1)).numpy()
    counts, _ = np.histogram(t, edges)
    middles = torch.from_numpy((edges[1:] + edges[:-1]) / 2)
    mass = times.density(middles).numpy() * np.diff(edges)
    assert mass.sum() == pytest.approx(1)
    assert stats.chisquare(counts, 30_000 * mass).pvalue > 1e-3
    assert times.density(middles.float()).dtype == torch.float32


@pytest.mark.parametrize(("first", "last"), [(0.0, 1.0), (0.5, 0.5), (1.0, 0.1), (0.1, math.inf)])
def test_bad_ends(first: float, last: float) -> None:
    with pytest.raises(ValueError, match="must satisfy 0 < first < last, got"):
        ImportanceTimes(lambda t: t, first, last)


def test_bad_rates() -> None:
    with pytest.raises(ValueError, match="`rate` must be positive"):
        ImportanceTimes(lambda t: t - 0.5, 0.1, 1.0)


def losses(times: ImportanceTimes | None, random: np.random.Generator) -> Tensor:
    """Of 400 small batches, likelihood weighted: the score 0 on data at 0."""
    process = VP()
    t = torch.from_numpy(random.uniform(FIRST, LAST, 8000))
    if times is not None:
        t = times.sample(8000, random)

    def weight(t: Tensor) -> Tensor:
        density = times.density(t) if times else 1 / (LAST - FIRST)
        return process.diffusion(t) / density

    clean, noise = torch.zeros(8000, 1), torch.from_numpy(random.standard_normal((8000, 1)))
    results = [
        process_score_matching(
            lambda x, t: torch.zeros_like(x),
            clean.double()[block],
            t[block],
            noise[block],
            alpha=process.alpha,
            sigma=process.sigma,
            weight=weight,
        )
        for block in torch.arange(8000).split(20)
    ]
    return torch.stack(results)


def test_importance_sampling_has_the_same_mean_and_less_variance() -> None:
    process = VP()
    times = ImportanceTimes(lambda t: process.diffusion(t) / process.sigma(t) ** 2, FIRST, LAST)
    # int g^2 / sigma^2 dt = ln(exp(B) - 1) for VP, with B the integral of beta.
    spent = [0.1 * t + 9.95 * t**2 for t in (FIRST, LAST)]
    exact = math.log(math.expm1(spent[1])) - math.log(math.expm1(spent[0]))
    uniform, important = (losses(law, np.random.default_rng(2)) for law in (None, times))
    for sample in (uniform, important):
        assert abs(sample.mean() - exact) <= 5 * sample.std() / len(sample) ** 0.5
    # All that is left is the variance of n^2, 2, in means over 20 times.
    assert important.var() == pytest.approx(2 * exact**2 / 20, rel=0.3)
    assert uniform.var() > 5 * important.var()
