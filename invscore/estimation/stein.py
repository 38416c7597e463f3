"""The noise level at which Stein's identity holds.

With D the posterior mean at the true level s, ``E <y - D, h> = s^2 E div h`` for whatever h makes
of y, so the level is the s at which both sides agree. Here ``h = w (y - D)`` with weights w of
pixels that are small where D is not flat, since that is where priors are wrong; the divergence is
seen by random probes (Hutchinson 1990; Ramani, Blu & Unser 2008).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from invscore.operators import LinearOperator
from invscore.priors.base import Prior
from invscore.rng import random_signs

ITERATIONS, TOLERANCE = 6, 0.03
"""Iterations of the fixed point, and the relative change at which it has converged."""

PROBES, PROBED = 8, 2**15
"""Random probes of the trace: at most ``PROBES``, fewer where they would have more than ``PROBED``
numbers."""

NEIGHBOURS = 5
"""Side in pixels of the neighbourhood over which flatness is judged."""


def stein_level(
    operator: LinearOperator,
    y: Tensor,
    prior: Prior,
    start: float,
    fill: Tensor | None = None,
    tolerance: float = TOLERANCE,
    chance: float = 0.0,
) -> float:
    """The level at which Stein's identity holds, of an operator with singular values 0 and 1.

    ``start`` itself where a first step goes no farther from it than by ``chance`` standard errors.
    Of n numbers and k probes the logarithm of a level has one of ``sqrt((1 + 1/k) / (2 n))`` where
    all is noise, and over the share of it that D takes away elsewhere: of what D takes for the
    image nobody can tell, and further steps would magnify the error.
    """
    low, high = max(prior.sigma_min, 1e-4 * prior.unit), min(2 * prior.unit, prior.sigma_max)
    level = min(max(start, low), high)
    numbers = y.numel() if operator.measured is None else int(operator.measured.sum()) * len(y)
    error = chance * ((1 + 1 / _probes(y, fill)) / (2 * numbers)) ** 0.5
    for _ in range(ITERATIONS):
        found, share = _explained(operator, y, prior, level, fill)
        if abs(math.log(max(found, low) / level)) * share < error:
            return level
        previous, level = level, min(max(found, low), high)
        error = 0.0
        if abs(math.log(level / previous)) < tolerance:
            break
    return level


def _explained(
    operator: LinearOperator, y: Tensor, prior: Prior, level: float, fill: Tensor | None
) -> tuple[float, float]:
    """The noise that Stein's identity sees in ``y`` with D at ``level``: that level if it is so.

    And the share of the noise that D takes away.
    """
    generator = torch.Generator().manual_seed(0)
    number = _probes(y, fill)
    draw = random_signs if fill is None else _normal
    probe = draw(torch.Size([number, *y.shape[1:]]), y.dtype, generator).to(y.device)
    if operator.measured is not None:
        probe = probe * operator.measured.to(probe)
    x, direction = operator.rmatvec(y), operator.rmatvec(probe)
    if fill is not None:
        grain = _normal(x.shape, x.dtype, generator).to(x.device)
        filled = fill + level * grain
        x = x + filled - operator.rmatvec(operator.matvec(filled))
    step = 0.1 * level
    both = prior.denoise(torch.cat([x, x + step * direction]), level)
    moved = torch.cat([y, y + step * probe])
    residual = moved - operator.matvec(both)
    if operator.measured is not None:
        residual = residual * operator.measured.to(residual)
    # What fills depends on the noise beside it: all pixels together bear that best.
    flat = _flatness(both, level) if fill is None else torch.ones_like(both.real)
    trusted = operator.matvec(flat * operator.rmatvec(residual))
    divergence = _inner(probe, trusted[1:] - trusted[:1]) / step / number
    most = _inner(probe, operator.matvec(flat[:1] * direction)) / number
    divergence = max(divergence, 0.02 * most)
    return (_inner(residual[:1], trusted[:1]) / divergence) ** 0.5, min(1.0, divergence / most)


def _probes(y: Tensor, fill: Tensor | None) -> int:
    return min(PROBES, max(1, PROBED // y.numel())) if fill is None else 1


def _normal(shape: torch.Size, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    """Numbers of unit variance, in both parts of complex ones."""
    if dtype.is_complex:
        return torch.view_as_complex(_normal(torch.Size([*shape, 2]), dtype.to_real(), generator))
    return torch.randn(shape, dtype=dtype, generator=generator)


def _flatness(x: Tensor, level: float) -> Tensor:
    """Weights of pixels: 1 where images (b, c, h, w) are flat, less where they are not.

    Where squared gradients, their mean over neighbours, are more than twice the noise of ``level``.
    A prior is wrong about texture first.
    """
    if x.ndim != 4:
        return torch.ones_like(x.real)
    squared = torch.zeros_like(x.real)
    squared[..., :-1, :] += (x[..., 1:, :] - x[..., :-1, :]).abs().square()
    squared[..., :-1] += (x[..., 1:] - x[..., :-1]).abs().square()
    squared = squared.mean(dim=1, keepdim=True)
    mean = torch.nn.functional.avg_pool2d(
        squared, NEIGHBOURS, stride=1, padding=NEIGHBOURS // 2, count_include_pad=False
    )
    return 1 / (1 + mean / (2 * level) ** 2)


def _inner(a: Tensor, b: Tensor) -> float:
    """The inner product over the reals."""
    return float((a.conj() * b).real.sum())
