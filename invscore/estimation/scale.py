"""The factor between the units of a measurement and those that a prior knows.

A prior has seen images of a peak, 1 for photographs; a measurement may be in counts, in volts or in
arbitrary units. Where nobody says, the peak of the image behind it is estimated, for each image of
a batch by itself, and turned into a factor by one continuous rule (``factor_of_peak``): images
within the prior's range are left alone, all others are brought to its peak. So a result at one unit
is the result in any other, up to that unit.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.estimation.extreme_quantile import extreme_quantile
from invscore.estimation.noise_map import evened
from invscore.likelihood import InverseProblem
from invscore.operators import Blur, LinearOperator, SpectralOperator
from invscore.operators.cg import conjugate_gradient
from invscore.priors.base import Prior

KNOTS = ((0.15, 0.15), (0.3, 1.0), (1.25, 1.0), (2.0, 2.0))
"""Factor as a function of the measurement's peak, both in units of the prior's peak: the points
between which it is linear in logarithms."""

ITERATIONS = 30
"""Iterations of conjugate gradients for the image whose peak is taken: a coarse one will do."""

SHARE = 0.999
"""Quantile of the magnitudes that is taken for the peak, past a few highlights."""

BEYOND, LARGEST = 3.1, 3.5
"""This quantile of white noise, in standard deviations; noise is uneven, as where pixels are
missing, if it has more than ``LARGEST``."""

WIDTHS = (1, 3, 7, 15)
"""Sides in pixels of the windows over which noise is averaged."""

POINT = (0.5, 0.8)
"""Share of the energy around the brightest pixel that a single point explains: up to the first it
is no point source, from the second on it is one."""

CERTAIN = (6.0, 9.0)
"""Its amplitude in standard deviations of the noise: up to the first it may be chance, from the
second on it is certain."""


def factor_of_peak(ratio: Tensor) -> Tensor:
    """The factor for images whose peak is ``ratio`` > 0 times the prior's.

    1 from 0.3 to 1.25, the ratio itself below 0.15 and above 2, between them a power of it: a
    continuous, increasing function, whose images divided by it have peaks from 0.3 to 1.25.
    """
    x = [math.log(knot) for knot, _ in KNOTS]
    y = [math.log(value) for _, value in KNOTS]
    log = ratio.log()
    found = torch.where(log < x[0], log, y[0])
    for k in range(3):
        line = y[k] + (log - x[k]) * (y[k + 1] - y[k]) / (x[k + 1] - x[k])
        found = torch.where(log >= x[k], line, found)
    return torch.where(log > x[3], log, found).exp()


@torch.no_grad()
def estimate_scale(problem: InverseProblem, prior: Prior) -> Tensor:
    """The factor of each image, (b,) float64; 1 for a prior of absolute units.

    1 too for a nonlinear operator, for which another factor would be another problem, and for a
    measurement that is zero.
    """
    if prior.peak is None or not isinstance(problem.operator, LinearOperator):
        return torch.ones(len(problem.y), dtype=torch.float64)
    even = evened(problem)
    assert isinstance(even.operator, LinearOperator)
    ratio = image_peak(even, even.operator).cpu().double() / prior.peak
    return torch.where(ratio > 0, factor_of_peak(ratio.clamp_min(1e-300)), 1.0)


def image_peak(problem: InverseProblem, operator: LinearOperator) -> Tensor:
    """An estimate of the largest magnitudes of the images behind a measurement: (b,).

    Of a regularised solution, by the level that few of its pixels exceed once noise is averaged
    out; where its brightest pixel is that of a point, by the amplitude that the point would have.
    Never less than what the noise would hide of an even image, averaged as far as can be.
    """
    y, norm = problem.y, operator.norm()
    if norm == 0:
        return torch.zeros(len(y), device=y.device)
    deviation = problem.noise.variance(y).expand(y.shape).flatten(1).mean(dim=1).sqrt()
    back = operator.rmatvec(y)
    noise = deviation / norm
    power = (back / norm**2).abs().square().flatten(1).mean(dim=1)
    # Of a spectrum that falls, most frequencies have far less than the mean.
    ratio = (10 * noise**2 / power.clamp_min(torch.finfo(power.dtype).tiny)).clamp(1e-3, 1.0)
    weight = (norm**2 * ratio).reshape(-1, *[1] * (back.ndim - 1))

    closed = _has_closed_form(operator)

    def solve(b: Tensor) -> Tensor:
        def apply(x: Tensor) -> Tensor:
            return operator.normal(x) + weight * x

        if closed:
            found = operator.solve(b, weight.flatten())
        else:
            found = conjugate_gradient(apply, b, tolerance=1e-2, iterations=ITERATIONS)
        # What is seen best is not made smaller.
        return (1 + ratio).reshape(weight.shape) * found

    image = solve(back)
    generator = torch.Generator().manual_seed(0)
    white = torch.randn(1, *operator.out_shape, dtype=y.dtype, generator=generator)
    grain = solve(operator.rmatvec(white.to(y.device).expand_as(y)))
    level = deviation * 2**0.5 if y.is_complex() else deviation
    found = torch.zeros_like(noise)
    hidden = noise
    for width in WIDTHS[: 4 if len(operator.in_shape) in (3, 4) else 1]:
        values, spread = averaged(image, width), level * _spread(averaged(grain, width))
        found = torch.maximum(found, _bright(values, spread))
        hidden = torch.minimum(hidden, BEYOND * spread)
    found = torch.maximum(found, hidden)
    return _of_point(problem, operator, image, found)


def _has_closed_form(operator: LinearOperator) -> bool:
    """Whether ``operator.solve`` is one: where it is not, a coarse solution costs less."""
    if isinstance(operator, Blur):
        return operator.boundary == "circular"
    return isinstance(operator, SpectralOperator)


def _bright(values: Tensor, spread: Tensor) -> Tensor:
    """The level that few magnitudes of ``values`` exceed, noise of ``spread`` taken off: (b,)."""
    sizes = values.abs().flatten(1)
    step = max(1, sizes.shape[1] // 2**20)
    quantile = extreme_quantile(sizes[:, ::step], SHARE) - BEYOND * spread
    extreme = (2 * math.log(max(2, sizes.shape[1]))) ** 0.5 + 1
    # Points are fewer than the quantile sees.
    return torch.maximum(quantile, (sizes.amax(dim=1) - extreme * spread) / 2)


def _of_point(
    problem: InverseProblem, operator: LinearOperator, image: Tensor, found: Tensor
) -> Tensor:
    """``found``, or the amplitude of the brightest pixel as far as that is a point: (b,)."""
    b, y = len(image), problem.y
    place = image.abs().flatten(1).argmax(dim=1, keepdim=True)
    point = torch.zeros_like(image.flatten(1)).scatter_(1, place, 1.0).reshape(image.shape)
    spot = operator.matvec(point).flatten(1)
    about = operator.matvec(operator.rmatvec(spot.abs().to(y.dtype).reshape(y.shape))).flatten(1)
    near = about.abs() > 1e-2 * about.abs().amax(dim=1, keepdim=True)
    near &= near.sum(dim=1, keepdim=True) > 2 * (spot.abs() > 0).sum(dim=1, keepdim=True).clamp(
        1, 4
    )
    energy = (spot.abs().square() * near).sum(dim=1)
    match = (spot.conj() * y.flatten(1) * near).sum(dim=1).abs()
    parts = 2 if y.is_complex() else 1
    noise = parts * problem.noise.variance(y).expand(y.shape).flatten(1)
    around = ((y.flatten(1).abs().square() - noise) * near).sum(dim=1)
    tiny = torch.finfo(energy.dtype).tiny
    explained = match.square() / (energy * around).clamp_min(tiny)
    # A wide kernel of which the measurement shows the middle alone makes of a point what it makes
    # of a uniform image.
    flat = operator.matvec(torch.ones_like(point)).flatten(1)
    uniform = (flat.conj() * y.flatten(1) * near).sum(dim=1).abs().square()
    uniform = uniform / ((flat.abs().square() * near).sum(dim=1) * around).clamp_min(tiny)
    explained = (explained - uniform) / (1 - uniform).clamp_min(POINT[1] - POINT[0])
    low, high = POINT
    share = ((explained - low) / (high - low)).clamp(0, 1)
    deviation = problem.noise.variance(y).expand(y.shape).flatten(1).mean(dim=1).sqrt()
    certain = match / (energy.sqrt() * deviation).clamp_min(tiny)
    low, high = CERTAIN
    share = share * ((certain - low) / (high - low)).clamp(0, 1)
    share = torch.where((energy > tiny) & (around > 0), share, 0.0)
    amplitude = torch.maximum(match / energy.clamp_min(tiny), found)
    safe = found.clamp_min(tiny)
    return torch.where(found > 0, safe * (amplitude / safe) ** share, found).reshape(b)


def averaged(image: Tensor, width: int) -> Tensor:
    """``image``, (b, c, h, w) or (b, c, d, h, w), averaged over ``width`` x ``width`` pixels."""
    if image.ndim == 5:
        return averaged(image.flatten(1, 2), width)
    if width == 1 or min(image.shape[-2:]) < width:
        return image
    return _sums(_sums(image, width, -1), width, -2) / width**2


def _sums(image: Tensor, width: int, axis: int) -> Tensor:
    """Sums of ``width`` neighbours along an axis, from those of 1, 2, 4, ... neighbours."""
    length = image.shape[axis] - width + 1
    total, taken, size = None, 0, 1
    while True:
        if width & size:
            part = image.narrow(axis, taken, length)
            total, taken = part if total is None else total + part, taken + size
        if total is not None and 2 * size > width:
            return total
        fewer = image.shape[axis] - size
        image = image.narrow(axis, 0, fewer) + image.narrow(axis, size, fewer)
        size *= 2


def _spread(grain: Tensor) -> Tensor:
    """The deviation of noise, or, where it is uneven, of as much as its few largest have: (b,)."""
    sizes = grain.abs().flatten(1)
    step = max(1, sizes.shape[1] // 2**20)
    rms = sizes.square().mean(dim=1).sqrt()
    return torch.maximum(rms, extreme_quantile(sizes[:, ::step], SHARE) / LARGEST)
