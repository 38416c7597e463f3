"""The noise of pictures with pixels missing, where they are flattest.

Each measured pixel is told from its neighbours by a plane of least squares that leaves it out; the
mean square of what remains, over what the plane makes of white noise, is averaged around. Where it
is least the picture is flat and all is noise, or less is noise than is found: a bound from above.
That the least of many is less than they are in the mean is undone by the same of white noise.

A small picture may be flat nowhere. How much less its noise may be is told by how the level falls
from all pixels to the flattest, as a power of their number: a larger picture of the same texture
would have fallen on by that power.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import conv2d

WIDTH, AROUND = 1.2, 3.0
"""Widths of the Gaussian windows, in pixels: ``WIDTH`` where a plane is fitted, ``AROUND`` where
residuals are averaged."""

FEWEST, NEAR = 5, 0.05
"""Least number of measured neighbours (those of weight above ``NEAR``) for a plane to be fitted."""

SHARE, LEAST = 0.02, 64
"""Share, and least number, of the pixels that are taken for flat."""

WHITES, WHITE = 8, 2**17
"""Draws of white noise that calibrate the estimate: at most ``WHITES``, fewer where they would have
more than ``WHITE`` numbers."""

ENOUGH = 4e5
"""Number of measured pixels that surely contain flat places."""

SIDE = 512
"""Side in pixels of the middle part that is looked at."""


class Flattest(NamedTuple):
    """The noise that the flattest pixels have, ``most``, and what it may be if none is flat."""

    least: float
    most: float


def flattest_level(y: Tensor, measured: Tensor) -> Flattest | None:
    """The noise of ``y`` (c, h, w), seen where ``measured`` is true; None of too few.

    >>> import torch
    >>> from invscore.estimation.flattest_regions import flattest_level
    >>> random = torch.Generator().manual_seed(0)
    >>> ramp = torch.linspace(0, 1, 64).expand(1, 64, 64)
    >>> y = ramp + 0.1 * torch.randn(1, 64, 64, generator=random)
    >>> seen = torch.rand(1, 64, 64, generator=random) < 0.4
    >>> least, most = flattest_level(torch.where(seen, y, 0), seen)
    >>> 0.085 < least <= most < 0.115
    True
    """
    y, seen = (_middle(each).cpu().double() for each in (y, measured.expand(y.shape)))
    window = _gaussian(WIDTH)
    radius = len(window) // 2
    window[radius, radius] = 0  # the pixel itself
    place = torch.arange(-radius, radius + 1, dtype=y.dtype)
    terms = (torch.ones_like(window), place[:, None].expand_as(window), place.expand_as(window))
    grams = [[_around(seen, window * a * b) for b in terms] for a in terms]
    told = _around(seen, (window > NEAR).to(y)) >= FEWEST - 0.5
    usable = (seen > 0) & told
    if int(usable.sum()) < 2 * LEAST:
        return None
    gram = torch.stack([torch.stack(row, -1)[usable] for row in grams], -2)
    squares = [[_around(seen, window**2 * a * b)[usable] for b in terms] for a in terms]
    spread = torch.stack([torch.stack(row, -1) for row in squares], -2)
    ridge = 1e-6 * torch.eye(3, dtype=y.dtype)
    weights = torch.linalg.solve(gram + ridge, ridge.new_tensor([1.0, 0, 0]).expand(len(gram), 3))
    of_noise = torch.einsum("ni,nij,nj->n", weights, spread, weights)
    few = max(LEAST, int(SHARE * int(usable.sum())))

    def powers(picture: Tensor) -> Tensor:
        """The mean squares of what remains, of the flattest pixels and of all."""
        sums = torch.stack([_around(picture * seen, window * term)[usable] for term in terms], -1)
        rest = torch.zeros_like(y)
        rest[usable] = (picture[usable] - (weights * sums).sum(-1)) ** 2 / (1 + of_noise)
        nearby = (_around(rest, _gaussian(AROUND)) / count.clamp_min(1e-9))[usable]
        return torch.stack([rest[usable][nearby.argsort()[:few]].mean(), rest[usable].mean()])

    count = _around(usable.to(y), _gaussian(AROUND))
    random = torch.Generator().manual_seed(0)
    draws = min(WHITES, max(1, WHITE // y.numel()))
    white = [torch.randn(y.shape, generator=random, dtype=y.dtype) for _ in range(draws)]
    level = powers(y) / torch.stack([powers(each) for each in white]).mean(dim=0)
    most, mean = level.sqrt().tolist()
    falls = math.log(max(1.0, mean / most)) / math.log(len(weights) / few)
    return Flattest(most * min(1.0, len(weights) / ENOUGH) ** falls, most)


def _middle(x: Tensor) -> Tensor:
    for axis in (-2, -1):
        size = min(SIDE, x.shape[axis])
        x = x.narrow(axis, (x.shape[axis] - size) // 2, size)
    return x


def _gaussian(width: float) -> Tensor:
    radius = math.ceil(2.5 * width)
    place = torch.arange(-radius, radius + 1, dtype=torch.float64)
    one = (-((place / width) ** 2) / 2).exp()
    return one[:, None] * one


def _around(x: Tensor, window: Tensor) -> Tensor:
    """Sums over the ``window`` around each pixel of (c, h, w), nothing beyond the border."""
    return conv2d(x[:, None], window[None, None], padding=len(window) // 2)[:, 0]
