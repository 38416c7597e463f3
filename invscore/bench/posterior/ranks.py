"""Are ranks uniform? Simulation-based calibration (Talts et al. 2018; Säilynoja et al. 2022).

The rank of a number among n draws of the same law is uniform on 0 ... n. Ranks are integers (b, k):
those of b independent trials for each of k quantities; statistics are means over the quantities, so
that their expectation does not depend on how these go together.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import binom
from torch import Tensor

BINS = 5
LEVEL = 0.95
"""The probability with which a band holds the whole distribution function of uniform ranks."""
TRIALS = 4000


def ranks_among(truth: Tensor, samples: Tensor) -> Tensor:
    """Rank of the ``truth`` (b, k) among the ``samples`` (n, b, k)."""
    return (samples < truth).sum(dim=0)


def uniform_ranks(shape: tuple[int, ...], n: int, seed: int) -> Tensor:
    """Independent ranks among n draws."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(n + 1, shape, generator=generator)


def coverage(ranks: Tensor, n: int, credible: float) -> float:
    """The share of truths within the central interval of mass ``credible`` of their samples.

    A rank between the interval's ends counts by its part inside: the mean for uniform ranks is
    ``credible``, for any n.
    """
    edges = torch.arange(n + 2, dtype=torch.float64) / (n + 1)
    tail = (1 - credible) / 2
    inside = (n + 1) * edges.clamp(tail, 1 - tail).diff()
    return float(inside[ranks].mean())


def binned(ranks: Tensor, n: int, bins: int) -> Tensor:
    """Counts in ``bins`` of equal mass, (bins, k); a rank across an edge is split."""
    return _parts(n, bins)[ranks].sum(dim=0).T


def chi_square(ranks: Tensor, n: int) -> float:
    """Chi-square of the counts in five bins over its mean, 1 on average."""
    expected = len(ranks) / BINS
    # Split ranks let the counts vary less than integers would.
    mean = BINS * (_parts(n, BINS).square().sum() / (n + 1) - 1 / BINS)
    found = (binned(ranks, n, BINS) - expected).square().sum(dim=0) / expected
    return float(found.mean() / mean)


def _parts(n: int, bins: int) -> Tensor:
    """The part of each rank 0 ... n that lies in each bin, (n + 1, bins)."""
    edges = torch.arange(n + 2, dtype=torch.float64) * bins / (n + 1)
    inside = [edges.clamp(k, k + 1).diff() for k in range(bins)]
    return torch.stack(inside, dim=1) * (n + 1) / bins


def distribution(ranks: Tensor, n: int) -> Tensor:
    """The share of trials with a rank of at most 0 ... n - 1, (n, k)."""
    steps = torch.arange(n)[:, None, None]
    return (ranks <= steps).double().mean(dim=1)


def deviation(ranks: Tensor, n: int) -> float:
    """The greatest distance of their distribution function from that of uniform ranks.

    Times the root of the number of trials, as in the test of Kolmogorov and Smirnov.
    """
    away = distribution(ranks, n) - _uniform(n)[:, None]
    return float(len(ranks) ** 0.5 * away.abs().amax(dim=0).mean())


def outside(ranks: Tensor, n: int) -> float:
    """The share of quantities whose distribution function leaves the band."""
    lower, upper = band(len(ranks), n)
    found = distribution(ranks, n)
    left = (found < lower[:, None] - 1e-9) | (found > upper[:, None] + 1e-9)
    return float(left.any(dim=0).double().mean())


@lru_cache(maxsize=16)
def band(trials: int, n: int) -> tuple[Tensor, Tensor]:
    """Bounds of the distribution function, (n,) each, that hold all at once with ``LEVEL``.

    Each point is binomial; the bounds are its quantiles at a level that is the same everywhere and
    such that as many simulated functions stay inside (Säilynoja et al. 2022, Sec. 2.2).
    """
    ranks = uniform_ranks((trials, TRIALS), n, seed=0)
    counts = (trials * distribution(ranks, n)).round().numpy()
    mass = _uniform(n).numpy()[:, None]
    tails = np.minimum(binom.cdf(counts, trials, mass), binom.sf(counts - 1, trials, mass))
    tail = float(np.quantile(tails.min(axis=0), 1 - LEVEL))

    # A tail of just that mass is inside; rounding must not decide.
    bound: npt.NDArray[np.float64] = binom.ppf(tail * (1 - 1e-9), trials, mass[:, 0])
    lower = torch.from_numpy(bound / trials)
    return lower, 1 - lower.flip(0)


def _uniform(n: int) -> Tensor:
    """The distribution function of uniform ranks at 0 ... n - 1."""
    return torch.arange(1, n + 1, dtype=torch.float64) / (n + 1)
