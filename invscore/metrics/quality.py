"""PSNR and SSIM of images beside a reference."""

from __future__ import annotations

import math

import torch
from torch import Tensor

TOGETHER = 2**20
"""Numbers of an image that are compared together in double precision, which bounds the memory."""

SSIM_SIGMA = 1.5
SSIM_WINDOW = 11
"""Side of the Gaussian window of SSIM: 3.5 standard deviations on each side."""


def psnr(x: Tensor, reference: Tensor, peak: float = 1.0) -> Tensor:
    """Peak signal-to-noise ratio in dB, ``10 log10(peak^2 / mean |x - reference|^2)``: (b,).

    ``x`` and ``reference`` are (b, c, h, w) or any batch of equal shapes; complex images are
    compared by magnitude. Equal images have an infinite ratio. Raises ``ValueError`` for unequal
    shapes or a ``peak`` that is not positive.

        >>> import torch
        >>> from invscore.metrics import psnr
        >>> psnr(torch.full((1, 1, 8, 8), 0.6), torch.full((1, 1, 8, 8), 0.5)).round(decimals=2)
        tensor([20.])
    """
    x, reference = _pair(x, reference, peak)
    pairs = zip(*(torch.split(t.flatten(1), TOGETHER, 1) for t in (x, reference)), strict=True)
    squares = [(a.double() - b.double()).square().sum(dim=1) for a, b in pairs]
    error = torch.stack(squares).sum(dim=0) / x[0].numel()
    return (10 * torch.log10(peak**2 / error)).float()


def ssim(x: Tensor, reference: Tensor, peak: float = 1.0) -> Tensor:
    """Structural similarity (Wang et al. 2004), averaged over pixels and channels: (b,).

    Gaussian weights of standard deviation 1.5 pixels and no sample covariance, as in the paper;
    ``x`` and ``reference`` are (b, c, h, w), at least 11 pixels a side, complex images compared by
    magnitude. Raises ``ValueError`` for unequal or smaller shapes.

    >>> import torch
    >>> from invscore.metrics import ssim
    >>> x = torch.rand(2, 1, 16, 16)
    >>> ssim(x, x)
    tensor([1., 1.])
    """
    x, reference = _pair(x, reference, peak)
    if x.ndim != 4 or min(x.shape[-2:]) < SSIM_WINDOW:
        raise ValueError(
            f"the images must have shape (b, c, h, w) with at least {SSIM_WINDOW} pixels a "
            f"side for SSIM, got {tuple(x.shape)}"
        )
    if reference.stride(0) == 0:  # one for all, whose means are found once
        reference = reference[:1]
    # Of whole windows alone, in strips that share the rows of half a window on either side.
    inner, around = x.shape[-2] - SSIM_WINDOW + 1, SSIM_WINDOW - 1
    rows = max(1, TOGETHER // x[:, :, 0].numel())
    total = torch.zeros(len(x), dtype=torch.float64)
    for first in range(0, inner, rows):
        last = min(first + rows, inner)
        a, b = (t[:, :, first : last + around].double() for t in (x, reference))
        total += (last - first) / inner * _similarity(a, b, peak).flatten(1).mean(dim=1)
    return total.float()


def _similarity(a: Tensor, b: Tensor, peak: float) -> Tensor:
    """Equation 13 of the paper in each window that lies within images (b, c, h, w)."""
    mean_b = _windowed(b)
    mean_a, squares, product = _windowed(torch.stack([a, a * a + b * b, a * b]))
    means, of_means = mean_a * mean_b, mean_a.square() + mean_b.square()
    low, high = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    index = (2 * means + low) * (2 * (product - means) + high)
    return index / ((of_means + low) * (squares - of_means + high))


def _windowed(fields: Tensor) -> Tensor:
    """Gaussian means over the windows within fields (\\*, h, w): by rows, then by columns."""
    half = SSIM_WINDOW // 2
    weights = [math.exp(-0.5 * (k / SSIM_SIGMA) ** 2) for k in range(half + 1)]
    total = 2 * sum(weights) - 1
    for axis in (-2, -1):
        inner = fields.shape[axis] - 2 * half
        found = fields.narrow(axis, half, inner) / total
        for k in range(1, half + 1):
            both = fields.narrow(axis, half - k, inner) + fields.narrow(axis, half + k, inner)
            found.add_(both, alpha=weights[k] / total)
        fields = found
    return fields


def _pair(x: Tensor, reference: Tensor, peak: float) -> tuple[Tensor, Tensor]:
    if x.shape != reference.shape:
        raise ValueError(
            f"`x` and `reference` must have the same shape, got {tuple(x.shape)} and "
            f"{tuple(reference.shape)}"
        )
    if not peak > 0:
        raise ValueError(f"`peak` must be a positive number, got {peak}")
    x, reference = (t.abs() if t.is_complex() else t for t in (x, reference))
    return x.detach().cpu(), reference.detach().cpu()
