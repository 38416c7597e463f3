"""A stationary Gaussian field of which pixels are measured, each with a precision of its own."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.methods.gaussian_field.posterior import LOUDEST
from invscore.operators.cg import goals, ratio

TOLERANCE = 1e-5
"""Relative tolerance of conjugate gradients."""


def explained_pixels(
    c: Tensor, pull: Tensor, precision: Tensor, *, iterations: int, limit: Tensor
) -> Tensor:
    """What pixels tell of a field: ``(C^-1 + P)^-1 pull``, real images (b, \\*shape).

    ``c``: variances of the field on spectra, alike at a wave and its opposite. ``precision``: P, of
    each pixel, 0 where it is not measured; ``pull``: ``P residual``. As many iterations of
    conjugate gradients as ``posterior.explained`` makes of the same system, but each with one
    filter alone: what the preconditioner ``(C^-1 + p)^-1`` makes of a residual r, p the mean of P,
    the system takes to ``r + (P - p) z``, in which ``C^-1`` need not be applied.
    """
    axes = tuple(range(1, pull.ndim))
    power = precision.mean(axes, keepdim=True)
    half = c[..., : c.shape[-1] // 2 + 1]
    gain = half / (power * half).add_(1)
    del c, half
    uneven = precision - power
    del precision, power

    def filtered(r: Tensor) -> Tensor:
        waves = torch.fft.rfftn(r, dim=axes).mul_(gain)
        return torch.fft.irfftn(waves, s=r.shape[1:], dim=axes)

    residual = pull
    del pull
    near = filtered(residual)
    energy = _inner(residual, near)
    goal = TOLERANCE**2 * energy.clamp_max(LOUDEST**2 * residual[0].numel())
    least = goals(goal, iterations, limit)
    left = energy * (energy > least[0])  # 0 where an image is solved
    x = torch.zeros_like(residual)
    direction, image = near, torch.addcmul(residual, uneven, near)
    for made in range(iterations):
        step = ratio(left, _inner(direction, image))
        x = torch.addcmul(x, step, direction)
        residual = torch.addcmul(residual, step, image, value=-1)
        if made + 1 == iterations:
            break
        near = filtered(residual)
        energy = _inner(residual, near)
        previous, left = left, energy * (energy > least[made + 1])
        turn = ratio(left, previous)
        direction = torch.addcmul(near, turn, direction)
        image = torch.addcmul(torch.addcmul(residual, uneven, near), turn, image)
    return x


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """Inner products of real images of a batch, (b, 1, ..., 1)."""
    product = torch.linalg.vecdot(a.flatten(1), b.flatten(1))
    return product.reshape(-1, *[1] * (a.ndim - 1))
