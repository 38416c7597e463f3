"""A stationary Gaussian field of which pixels are measured, each with a precision of its own."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.methods.gaussian_field.posterior import LOUDEST, Unexplained
from invscore.operators.cg import goals, ratio

TOLERANCE = 1e-5
"""Relative tolerance of conjugate gradients."""


def explained_pixels(given: Unexplained, *, iterations: int, limit: Tensor) -> Tensor:
    """What pixels tell of a field: ``(C^-1 + P)^-1 P residual``, real images (b, \\*shape).

    ``given``: variances C on spectra, ``c``, alike at a wave and its opposite; for ``power`` the
    precision P of each pixel, 0 where it is not measured; for ``residual`` that times P, which is
    overwritten. As many iterations of conjugate gradients as ``posterior.explained`` makes of the
    same system, but each with one filter alone: what the preconditioner ``(C^-1 + p)^-1`` makes of
    a residual r, p the mean of P, the system takes to ``r + (P - p) z``, in which ``C^-1`` need not
    be applied.
    """
    residual, _, c, precision = given.taken()
    axes = tuple(range(1, residual.ndim))
    power = precision.mean(axes, keepdim=True)
    uneven = precision - power
    del precision
    gain = c[..., : c.shape[-1] // 2 + 1].clone()  # of the first half of all waves
    del c
    gain /= (power * gain).add_(1)

    def filtered(r: Tensor) -> Tensor:
        waves = torch.fft.rfftn(r, dim=axes).mul_(gain)
        return torch.fft.irfftn(waves, s=r.shape[1:], dim=axes)

    direction = filtered(residual)
    energy = _inner(residual, direction)
    goal = TOLERANCE**2 * energy.clamp_max(LOUDEST**2 * residual[0].numel())
    least = goals(goal, iterations, limit)
    left = energy * (energy > least[0])  # 0 where an image is solved
    x = torch.zeros_like(residual)
    image = torch.addcmul(residual, uneven, direction)
    for made in range(iterations):
        step = ratio(left, _inner(direction, image))
        x.addcmul_(step, direction)
        if made + 1 == iterations:
            break
        residual.addcmul_(step, image, value=-1)
        near = filtered(residual)
        energy = _inner(residual, near)
        previous, left = left, energy * (energy > least[made + 1])
        turn = ratio(left, previous)
        direction.mul_(turn).add_(near)
        image.mul_(turn).add_(residual).addcmul_(uneven, near)
        del near
    return x


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """Inner products of real images of a batch, (b, 1, ..., 1)."""
    product = torch.linalg.vecdot(a.flatten(1), b.flatten(1))
    return product.reshape(-1, *[1] * (a.ndim - 1))
