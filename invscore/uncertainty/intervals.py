"""Intervals for each pixel of an unknown image, from samples of its posterior.

Of complex images, real and imaginary part have an interval each: ends are complex, and the interval
of a pixel is the rectangle between them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Interval(NamedTuple):
    """``lower`` and ``upper`` ends, of one shape."""

    lower: Tensor
    upper: Tensor

    @property
    def width(self) -> Tensor:
        """Upper minus lower end, the mean of the two parts' for complex images: real."""
        width = _parts(self.upper - self.lower)
        return width.mean(dim=-1) if self.upper.is_complex() else width

    def contains(self, image: Tensor) -> Tensor:
        """Where the real numbers of ``image`` lie: (\\*shape), of a complex one (\\*shape, 2)."""
        return (_parts(self.lower) <= _parts(image)) & (_parts(image) <= _parts(self.upper))


def quantile(samples: Tensor, q: float) -> Tensor:
    """The ``q`` quantile of ``samples``, (n, \\*shape), of each pixel: (\\*shape).

    It lies at the place ``q (n + 1)`` among the sorted samples, between two of them where that is
    no whole number: a further draw from the same law is below it with probability q on average
    (exactly so at whole numbers). Raises ``ValueError`` where no such place exists,
    q < 1 / (n + 1) or q > n / (n + 1): samples do not tell what is beyond them.
    """
    n = len(samples)
    place = q * (n + 1) - 1
    slack = 1e-9 * n  # q (n + 1) is not a whole number in floating point
    if not -slack <= place <= n - 1 + slack:
        raise ValueError(
            f"`q` must lie in [{1 / (n + 1):.3g}, {n / (n + 1):.3g}] for {n} samples, got {q:g}"
        )
    return _by_part(lambda parts: order_statistic(parts.sort(dim=0).values, q), samples)


def order_statistic(ascending: Tensor, q: float) -> Tensor:
    """The place ``q (n + 1)`` among sorted numbers, (n, \\*shape), between two of them: (\\*shape).

    The first or the last where there is no such place. Of n uniform numbers on [0, 1] it is q on
    average where there is one.
    """
    n = len(ascending)
    place = min(max(q * (n + 1) - 1, 0.0), n - 1.0)
    below = int(place)
    return torch.lerp(ascending[below], ascending[min(below + 1, n - 1)], place - below)


def credible_interval(samples: Tensor, level: float, factor: float = 1.0) -> Interval:
    """``mean +- factor half_width``, from ``samples``, (n, \\*shape): ends of shape (\\*shape).

    The truth is inside with probability ``level`` where the posterior is Gaussian, the samples
    follow it and ``factor`` is 1, for any n >= 2. ``factor`` is for what calibration finds.
    """
    half = factor * half_width(samples, level)
    centre = _parts(samples).mean(dim=0)
    lower, upper = centre - half, centre + half
    if samples.is_complex():
        return Interval(torch.view_as_complex(lower), torch.view_as_complex(upper))
    return Interval(lower, upper)


def half_width(samples: Tensor, level: float) -> Tensor:
    """``t sqrt(1 + 1 / n) std`` of ``samples``, (n, \\*shape): (\\*shape), complex (\\*shape, 2).

    t is the quantile of Student's law with n - 1 degrees of freedom that has ``level`` between -t
    and t: the prediction interval for another draw from a normal law, which the truth is.

    Raises ``ValueError`` for fewer than 2 samples and for a level that is not between 0 and 1.
    """
    from scipy.special import stdtrit  # takes its time to import

    n = len(samples)
    if n < 2:
        raise ValueError(f"`samples` must hold at least 2 for an interval, got {n}")
    check_level(level)
    t = float(stdtrit(n - 1, (1 + level) / 2))
    return t * (1 + 1 / n) ** 0.5 * _parts(samples).std(dim=0)


def relative_error(samples: Tensor, truth: Tensor, level: float) -> Tensor:
    """The factor at which the credible interval reaches ``truth``, for each real number of it.

    0 where samples agree on the truth, infinity where they agree on something else.
    """
    error = (_parts(truth) - _parts(samples).mean(dim=0)).abs()
    return torch.where(error == 0, 0.0, error / half_width(samples, level))


def check_level(level: float) -> None:
    """Raise ``ValueError`` where ``level`` is no probability between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie in (0, 1), got {level:g}")


def _parts(x: Tensor) -> Tensor:
    return torch.view_as_real(x) if x.is_complex() else x


def _by_part(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``function`` of the real and of the imaginary part of ``x``, or of a real ``x``."""
    value = function(_parts(x))
    return torch.view_as_complex(value) if x.is_complex() else value
