"""Intervals for each pixel of an unknown image, from samples of its posterior.

Of complex images, real and imaginary part have an interval each: ends are complex, and the interval
of a pixel is the rectangle between them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from invscore.batches import per_image, real_numbers
from invscore.uncertainty.moderated import moderated
from invscore.uncertainty.pairs import places, spread

POINTS = 400
"""Quantiles of the normal law over which a law of errors is averaged: ends are right to 0.5 %."""

IMAGES = 5
"""Dimensions of samples of images, (n, b, c, h, w), up to which neighbours tell of a pixel's
interval: those of volumes have more."""


class Interval(NamedTuple):
    """``lower`` and ``upper`` ends, of one shape.

    After the example of ``invscore.uncertainty``:

    >>> from invscore.uncertainty import credible_interval
    >>> lower, upper = credible_interval(samples, 0.9)
    >>> bool((lower < upper).all())
    True
    """

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


def quantile(samples: Tensor, q: float, *, paired: bool = False) -> Tensor:
    """The ``q`` quantile of ``samples``, (n, \\*shape), of each pixel: (\\*shape).

    It lies at the place ``q (n + 1)`` among the sorted samples, between two of them where that is
    no whole number: a further draw from the same law is below it with probability q on average
    (exactly so at whole numbers). Antithetic pairs (``paired``) have other places, see
    ``pairs.places``. Raises ``ValueError`` where no such place exists, q < 1 / (n + 1) or
    q > n / (n + 1) for independent ones: samples do not tell what is beyond them.

    After the example of ``invscore.uncertainty``:

    >>> from invscore.uncertainty import quantile
    >>> bool((quantile(samples, 0.2) < quantile(samples, 0.8)).all())
    True
    """
    n = len(samples)
    chances = places(n, spread(_parts(samples), paired=paired).correlation)
    low, high = float(chances[0]), float(chances[-1])
    if not low - 1e-9 <= q <= high + 1e-9:  # neither is a whole number in floating point
        raise ValueError(f"`q` must lie in [{low:.3g}, {high:.3g}] for {n} samples, got {q:g}")
    above = min(max(int(torch.searchsorted(chances, q)), 1), max(n - 1, 1)) if n > 1 else 0
    below = max(above - 1, 0)
    gap = float(chances[above] - chances[below])
    weight = 0.0 if gap == 0 else min(max((q - float(chances[below])) / gap, 0.0), 1.0)

    def between(parts: Tensor) -> Tensor:
        ascending = parts.sort(dim=0).values
        return torch.lerp(ascending[below], ascending[above], weight)

    return _by_part(between, samples)


def order_statistic(ascending: Tensor, q: float) -> Tensor:
    """The place ``q (n + 1)`` among sorted numbers, (n, \\*shape), between two of them: (\\*shape).

    The first or the last where there is no such place. Of n uniform numbers on [0, 1] it is q on
    average where there is one.
    """
    n = len(ascending)
    place = min(max(q * (n + 1) - 1, 0.0), n - 1.0)
    below = int(place)
    return torch.lerp(ascending[below], ascending[min(below + 1, n - 1)], place - below)


def credible_interval(
    samples: Tensor,
    level: float,
    factor: float = 1.0,
    *,
    paired: bool = False,
    tails: float = 0.0,
    measured: Tensor | None = None,
) -> Interval:
    """``mean +- factor half_width``, from ``samples``, (n, b, \\*shape): ends (b, \\*shape).

    The truth is inside with probability ``level`` where the posterior is Gaussian, the samples
    follow it and ``factor`` is 1, for any n >= 2, independent or in antithetic pairs (``paired``).
    ``factor`` is for what calibration finds, ``tails`` for errors that are no Gaussian.

    After the example of ``invscore.uncertainty``:

    >>> from invscore.uncertainty import credible_interval
    >>> interval = credible_interval(samples, 0.9, paired=True)
    >>> interval.lower.shape
    torch.Size([1, 1, 8, 8])
    """
    half = factor * half_width(samples, level, paired=paired, tails=tails, measured=measured)
    centre = _parts(samples).mean(dim=0)
    lower, upper = centre - half, centre + half
    if samples.is_complex():
        return Interval(torch.view_as_complex(lower), torch.view_as_complex(upper))
    return Interval(lower, upper)


def half_width(
    samples: Tensor,
    level: float,
    *,
    paired: bool = False,
    tails: float = 0.0,
    measured: Tensor | None = None,
) -> Tensor:
    """``t sqrt(1 + 1 / n) std`` of ``samples``, (n, b, \\*shape): (b, \\*shape).

    t is the quantile of Student's law with n - 1 degrees of freedom that has ``level`` between -t
    and t: the prediction interval for another draw from a normal law, which the truth is. Of
    antithetic pairs, ``pairs.spread`` says the degrees of freedom and, in place of 1 / n, the
    variance of the mean. In real images (c, h, w) neighbours tell of the variance of a pixel, and t
    is that of more degrees of freedom (``moderated``, also on ``measured``). Volumes and complex
    images, of which errors are 0.7 to 2.3 times what samples tell, keep the wider intervals of each
    number on its own. ``tails``: how uneven errors are over what is told, the standard deviation of
    the logarithm of their variance; 0 for Gaussian ones.

    Raises ``ValueError`` for fewer than 2 samples and for a level that is not between 0 and 1.
    """
    n = len(samples)
    if n < 2:
        raise ValueError(f"`samples` must hold at least 2 for an interval, got {n}")
    check_level(level)
    if samples.is_complex() or samples.ndim > IMAGES:
        own = spread(_parts(samples), paired=paired)
        t = quantile_of_errors(level, own.freedom, tails)
        return t * ((1 + own.share) * own.variance).sqrt()
    found = moderated(samples, paired=paired, measured=measured)
    of_each = [
        quantile_of_errors(level, float(f"{each:.3g}"), tails) for each in found.freedom.tolist()
    ]
    of_image = per_image(torch.tensor(of_each, dtype=torch.float64).to(found.scale), found.scale)
    return of_image * ((1 + found.share) * found.scale).sqrt()


@lru_cache
def quantile_of_errors(level: float, freedom: float, tails: float = 0.0) -> float:
    """The t between -t and t of which errors over an estimated deviation lie by chance ``level``.

    The estimate has ``freedom`` degrees of freedom. Gaussian errors: the quantile of Student's law.
    Others are Gaussian of a variance that is 1 on average and log-normal, of a logarithm with the
    standard deviation ``tails``: the chance of Student's law, averaged over POINTS quantiles.

    >>> from invscore.uncertainty.intervals import quantile_of_errors
    >>> [round(quantile_of_errors(0.9, 1e9, tails), 3) for tails in (0.0, 1.2)]
    [1.645, 1.502]
    """
    import numpy as np
    from scipy.optimize import brentq
    from scipy.special import ndtri, stdtr, stdtrit  # take their time to import

    t = float(stdtrit(freedom, (1 + level) / 2))
    if tails == 0:
        return t
    middles = (np.arange(POINTS) + 0.5) / POINTS
    narrower = np.exp((tails / 2 - ndtri(middles)) * tails / 2)
    widest = t / float(narrower.min())  # as if all were of the largest variance

    def excess(x: float) -> float:
        return float(np.mean(2 * stdtr(freedom, x * narrower) - 1)) - level

    return float(brentq(excess, 0.0, widest))


def relative_error(
    samples: Tensor,
    truth: Tensor,
    level: float,
    *,
    paired: bool = False,
    measured: Tensor | None = None,
) -> Tensor:
    """The factor at which the credible interval reaches ``truth``, for each real number of it.

    0 where samples agree on the truth, infinity where they agree on something else.
    """
    error = (_parts(truth) - _parts(samples).mean(dim=0)).abs()
    half = half_width(samples, level, paired=paired, measured=measured)
    return torch.where(error == 0, 0.0, error / half)


def check_level(level: float) -> None:
    """Raise ``ValueError`` where ``level`` is no probability between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie in (0, 1), got {level:g}")


def _parts(x: Tensor) -> Tensor:
    return real_numbers(x)


def _by_part(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """``function`` of the real and of the imaginary part of ``x``, or of a real ``x``."""
    value = function(_parts(x))
    return torch.view_as_complex(value) if x.is_complex() else value
