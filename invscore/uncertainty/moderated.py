"""Variances of pixels from few samples, moderated by those of their neighbours.

n samples tell the variance of a pixel with few degrees of freedom f, and where it is told to be
least it is told to be too little. Variances of neighbours are alike: these are Smyth's moderated
variances (2004, Section 5), each pixel's prior centred at its neighbours'. ``1 / v`` has the law of
``chi^2 / ((d0 - 2) m)`` of d0 degrees of freedom about the mean m over a window, so that v is
``((d0 - 2) m + f s^2) / (d0 - 2 + f)`` on average, and errors over its root follow Student's law of
``d0 + f`` degrees. How rough the variances are, and so d0, is told by how much more their
logarithms differ from those of the means than f explains.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from invscore.batches import real_numbers
from invscore.uncertainty.pairs import Spread, spread
from invscore.uncertainty.windows import Windows, squared_correlations

WINDOWS = (2, 4, 8)
"""Standard deviations of windows in pixels. That which leaves most degrees of freedom is taken:
what errs together over more pixels, or is more alike, has the wider ones."""
ALONE = 1e-3
"""Share of a window that must have neighbours, for a pixel to have any."""
TINY = 1e-10
"""Share of the mean variance that is added to each, of which logarithms are taken."""
SMOOTH = 1e-3
"""Least variance of logarithms: where it is less, 2000 degrees of freedom are as good as more."""
STEPS = 20
"""Of Newton's, which are exact to rounding after six."""


class Moderated(NamedTuple):
    """The told variances of a draw, (b, \\*shape), of complex images (b, \\*shape, 2).

    ``variance`` is right on average, over an image that of the samples; that of the mean is
    ``share`` times as large. Errors over the root of ``scale`` follow Student's law of ``freedom``
    degrees, (b,).
    """

    variance: Tensor
    scale: Tensor
    share: float
    freedom: Tensor


def moderated(samples: Tensor, *, paired: bool, measured: Tensor | None = None) -> Moderated:
    """The moderated variances of ``samples``, (n, b, \\*shape), in antithetic pairs or independent.

    The window is in the last two axes of the shape. ``measured``, (\\*shape): which pixels are
    measured one by one; they and others are no neighbours. Images of so few pixels that these are
    not seen to be alike keep the variances of ``spread``, and so do numbers, (n, b).

    After the example of ``invscore.uncertainty``:

    >>> from invscore.uncertainty import moderated, spread
    >>> raw, told = spread(samples, paired=True), moderated(samples, paired=True)
    >>> bool(told.variance.std() < raw.variance.std()), bool((told.freedom > raw.freedom).all())
    (True, True)
    """
    raw = spread(real_numbers(samples), paired=paired)
    freedom = torch.full(samples.shape[1:2], raw.freedom, dtype=torch.float64)
    if samples.ndim < 3 or len(samples) < 2:
        return Moderated(raw.variance, raw.variance, raw.share, freedom)
    variance, scale = raw.variance.clone(), raw.variance.clone()
    for image in range(len(freedom)):
        found = _of_image(samples[:, image], raw, raw.variance[image], measured)
        if found is not None:
            variance[image], scale[image], freedom[image] = found
    return Moderated(variance, scale, raw.share, freedom)


def _of_image(
    samples: Tensor, raw: Spread, variance: Tensor, measured: Tensor | None
) -> tuple[Tensor, Tensor, float] | None:
    """Variance, scale and degrees of freedom of an image; none where it has no neighbours."""
    f = raw.freedom
    s2 = _planes(variance, samples)
    rounding = torch.finfo(s2.dtype).eps * float(samples.abs().max())
    if s2[0].numel() == 1 or float(s2.max()) <= rounding**2:
        return None
    s2 = s2 + TINY * s2.mean()
    kinds = _kinds(s2, samples, measured)
    centre = samples.mean(0)
    squared = squared_correlations(_planes(real_numbers(x - centre), samples) for x in samples)
    found = [_within(Windows(s2, each), s2, f, squared, kinds) for each in WINDOWS]
    told, scale, freedom = max(found, key=lambda each: each[2])
    told = told * (s2.mean() / told.mean())
    return _back(told, variance, samples), _back(scale, variance, samples), freedom


def _within(
    windows: Windows, s2: Tensor, f: float, squared: Tensor, kinds: list[Tensor]
) -> tuple[Tensor, Tensor, float]:
    """Variance, scale and degrees of freedom, moderated by neighbours in ``windows``."""
    near, mean = torch.zeros_like(s2), torch.zeros_like(s2)
    for kind in kinds:
        near += kind * windows.sum(kind)
        mean += kind * windows.sum(kind * s2)
    has = near > ALONE
    mean = torch.where(has, mean / near.clamp_min(ALONE), s2)
    differ = (s2.log() - mean.log())[has]
    if len(differ) < 2:
        return s2, s2, f
    of_mean, with_own = windows.alike(squared)
    of_mean += windows.squares * float((1 / near[has] - 1).mean())
    d0, off = _prior(differ, f, f / of_mean, 2 / f * with_own)
    weight = d0 / (d0 + f)
    told = torch.where(has, torch.lerp(s2, mean, weight), s2)
    scale = torch.where(has, torch.lerp(s2, off * mean, weight), s2)
    return told, scale, 1 / (1 / (d0 + f) + weight**2 * of_mean / f)


def _prior(differ: Tensor, f: float, of_mean: float, alike: float) -> tuple[float, float]:
    """The degrees of freedom d0 of the prior of variances, and its scale over the mean's.

    By what variances ``differ`` in logarithms from their neighbours' mean. On average that is by
    what logarithms of chi^2 are below that of their mean, of ``f`` degrees of freedom and
    ``of_mean``. The variance of ``differ`` beyond theirs, ``alike`` as far as estimates are, is
    ``trigamma(d0 / 2)``. It is taken one standard error larger than it is seen: of few pixels
    nothing is taken for alike.
    """
    average = float(differ.mean())
    apart = (differ - average).double()
    seen = float(apart.square().mean())
    error = math.sqrt(max(float(apart.pow(4).mean()) - seen**2, 0.0) / len(apart))
    own, neighbours = _logarithm(f), _logarithm(of_mean)
    rough = seen + error - own.variance - neighbours.variance + 2 * alike
    d0 = _freedom(max(rough, SMOOTH))
    return d0, math.exp(average - own.mean + neighbours.mean + _logarithm(d0).mean)


class _Logarithm(NamedTuple):
    """Mean and variance of the logarithm of ``chi^2 / f``."""

    mean: float
    variance: float


def _logarithm(f: float) -> _Logarithm:
    from scipy.special import digamma, polygamma  # take their time to import

    return _Logarithm(float(digamma(f / 2)) - math.log(f / 2), float(polygamma(1, f / 2)))


def _freedom(variance: float) -> float:
    """The f of which ``_logarithm`` has this variance, by Newton's steps (Smyth 2004, Appendix)."""
    from scipy.special import polygamma

    x = 0.5 + 1 / variance  # of 1 / trigamma, which is nearly linear
    for _ in range(STEPS):
        trigamma = float(polygamma(1, x))
        x += trigamma * (1 - trigamma / variance) / float(polygamma(2, x))
    return 2 * x


def _kinds(s2: Tensor, samples: Tensor, measured: Tensor | None) -> list[Tensor]:
    """Ones where planes have pixels of a kind, of each kind."""
    if measured is None or measured.shape != samples.shape[1:]:
        return [torch.ones_like(s2)]
    parts = torch.stack([measured, measured], dim=-1) if samples.is_complex() else measured
    shown = _planes(parts.to(s2), samples)
    return [shown, 1 - shown]


def _planes(x: Tensor, samples: Tensor) -> Tensor:
    """Real numbers of an image as planes (p, h, w): of vectors h is 1, parts are planes."""
    sides = samples.shape[-2:] if samples.ndim > 2 else (1, samples.shape[-1])
    return (x.movedim(-1, 0) if samples.is_complex() else x).reshape(-1, *sides)


def _back(planes: Tensor, like: Tensor, samples: Tensor) -> Tensor:
    """Planes in the layout of ``like``."""
    if not samples.is_complex():
        return planes.reshape(like.shape)
    return planes.reshape(like.shape[-1], *like.shape[:-1]).movedim(0, -1)
