"""Where pixels are missing: a Gaussian field given the others, at coarser resolutions first."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.gaussian_field.posterior import Unexplained, explained

SMALLEST = 32
"""Shortest side, in pixels, of fields that are looked at more coarsely before."""
TOLERANCE = 1e-5
"""Relative tolerance of conjugate gradients that start at a coarser field: what they leave in a
hole is a twentieth of what is unknown there. Waves as long as the hole, of which iterations at full
resolution take hundreds, are right from the start."""
ITERATIONS = 1000
"""Most iterations at each resolution."""


def coarse_start(
    precision: Tensor, values: Tensor, exponent: float, variance: float
) -> Tensor | None:
    """An image near the posterior mean of a field, (b, \\*channels, h, w), to start from.

    The field has power ``|f|^-exponent`` and pixel ``variance`` about 0. Pixels were measured,
    ``values``, with a ``precision`` each, 0 where not at all; both of the image's shape. Blocks of
    two by two pixels are taken for one, measured by the mean of those seen, and so on down to
    ``SMALLEST``; each resolution starts at the one below it (nested iteration, Brandt 1977).
    ``None`` for images that are too small.
    """
    if min(values.shape[-2:]) < SMALLEST:
        return None
    within = _within(FrequencyBands.of(values[:1]), exponent, variance)
    told, sums = _blocks(precision), _blocks(precision * values)
    mean = sums / told.clamp_min(torch.finfo(told.dtype).tiny)
    # As uncertain as a pixel is about the mean of its block.
    told = told / (1 + within * told)
    coarse = _field(told, mean, exponent, variance)
    return _finer(coarse, values.shape[-2:])


def _field(precision: Tensor, values: Tensor, exponent: float, variance: float) -> Tensor:
    """The posterior mean at one resolution, from that of the resolutions below."""
    bands = FrequencyBands.of(values)
    root = precision.sqrt()
    axes = tuple(range(1, values.ndim))
    start = coarse_start(precision, values, exponent, variance)
    given = Unexplained(
        root * values,
        None,
        bands.power_law(exponent, variance),
        precision.mean(axes, keepdim=True),  # passed of every frequency alike
    )
    found = explained(
        lambda x: root * x,
        lambda y: root * y,
        given,
        bands,
        iterations=ITERATIONS,
        tolerance=TOLERANCE,
        start=None if start is None else bands.spectrum(start),
        ask=True,
    )
    return bands.image(found)


def _within(bands: FrequencyBands, exponent: float, variance: float) -> float:
    """Variance of a field's pixels about the means of blocks of two by two."""
    power = bands.power_law(exponent, variance)
    down, along = (
        torch.cos(math.pi * torch.fft.fftfreq(n, dtype=power.dtype, device=power.device))
        for n in power.shape[-2:]
    )
    return float((power * (1 - (down[:, None] * along).square())).mean())


def _blocks(values: Tensor) -> Tensor:
    """Sums over blocks of two by two, of an odd side the last of which has less in it."""
    height, width = values.shape[-2:]
    whole = torch.nn.functional.pad(values, (0, width % 2, 0, height % 2))
    rows = whole[..., ::2, :] + whole[..., 1::2, :]
    return rows[..., ::2] + rows[..., 1::2]


def _finer(coarse: Tensor, sides: tuple[int, ...]) -> Tensor:
    """Means of blocks as the smooth image, (\\*, \\*sides), of twice as many pixels a side."""
    spectrum = torch.fft.fftn(coarse, dim=(-2, -1))
    for axis in (-2, -1):
        n = coarse.shape[axis]
        frequency = torch.fft.fftfreq(n, dtype=coarse.dtype, device=coarse.device)
        # Pixels lie a quarter of a block before and behind its middle.
        turn = torch.polar(torch.full_like(frequency, 2.0), -0.5 * math.pi * frequency)
        turn[n // 2] *= n % 2  # the wave of two pixels has no direction
        turned = spectrum * (turn[:, None] if axis == -2 else turn)
        half = (n + 1) // 2
        low, high = turned.narrow(axis, 0, half), turned.narrow(axis, half, n - half)
        between = torch.zeros_like(turned)
        spectrum = torch.cat([low, between, high], dim=axis)
    image = torch.fft.ifftn(spectrum, dim=(-2, -1)).real
    return image[..., : sides[0], : sides[1]]
