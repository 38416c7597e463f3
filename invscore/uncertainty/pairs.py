"""Moments of samples that come in antithetic pairs, x_0 and x_1, x_2 and x_3, and so on.

The two of a pair are draws of the same law with a correlation r, -1 where the sampler is linear in
its noise; pairs are independent of one another, and a last sample may be alone. Everything here is
right for any r where there are three samples or more; of two, r is taken to be -1.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from invscore.hardware.doubles import doubled


class Spread(NamedTuple):
    """``variance``, (\\*shape), of a draw; that of the mean is ``share`` times as large.

    ``freedom``: the degrees of freedom of the variance. ``correlation``: r, 0 without pairs.
    """

    variance: Tensor
    share: float
    freedom: float
    correlation: float


def spread(x: Tensor, *, paired: bool) -> Spread:
    """The spread of real samples, (n, \\*shape), in antithetic pairs or independent.

    With S the sum of squares about the mean, W the mean over the p pairs of half the squared
    difference, and s = n - 2 p, ``E W = v (1 - r)`` and ``n Var(mean) = v (2 p (1 + r) + s) / n``,
    so that ``(S - 2 p W / n) / (n - (4 p + s) / n)`` is the variance v on average, whatever r is. r
    is that of all numbers together; the degrees of freedom follow from the variances of the parts
    within and between pairs (Satterthwaite 1946).

    After the example of ``invscore.uncertainty``:

    >>> from invscore.uncertainty import spread
    >>> spread(samples, paired=True).variance.shape
    torch.Size([1, 1, 8, 8])
    """
    n = len(x)
    total = (x - x.mean(dim=0)).square().sum(dim=0)
    if not paired or n < 2:
        return Spread(total / max(1, n - 1), 1 / n, n - 1.0, 0.0)
    pairs, alone = n // 2, n % 2
    within = half_differences(x).square().mean(dim=0)
    if n == 2:
        return Spread(within / 2, 0.0, 1.0, -1.0)
    variance = (total - 2 * pairs / n * within) / (n - (4 * pairs + alone) / n)
    variance = variance.clamp_min(0)
    summed = float(doubled(variance).sum())
    r = 1 - float(doubled(within).sum()) / summed if summed > 0 else -1.0
    r = min(max(r, -1.0), 1.0)
    parts = (1 - r) ** 2 / pairs + ((1 + r) ** 2 / (pairs - 1) if pairs > 1 else 0.0)
    freedom = 4 / parts + alone
    return Spread(variance, (2 * pairs * (1 + r) + alone) / n**2, freedom, r)


def half_differences(x: Tensor) -> Tensor:
    """``(x_0 - x_1) / sqrt 2`` of each pair, (n // 2, \\*shape)."""
    pairs = len(x) // 2
    return (x[0 : 2 * pairs : 2] - x[1 : 2 * pairs : 2]) / 2**0.5


def places(n: int, correlation: float) -> Tensor:
    """By which chance a further draw is below each of n sorted samples, (n,).

    ``k / (n + 1)`` where samples are independent. Of a symmetric law and pairs of correlation -1
    the distances from the middle are p independent ones: the k-th of the lower half is at
    ``k / (2 p + 2)``, the upper half likewise. In between, a mean of both.
    """
    k = torch.arange(1, n + 1, dtype=torch.float64)
    above = 1 + torch.sign(2 * k - n - 1)  # 0 in the lower half, 1 in the middle, 2 above
    mirrored = (2 * k + above) / (2 * n + 4)
    weight = -min(correlation, 0.0)
    return (1 - weight) * k / (n + 1) + weight * mirrored
