"""The measurement fitted as far as its noise allows: the discrepancy principle (Morozov 1966)."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore import levels
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import LinearOperator
from invscore.operators.base import broadcast
from invscore.operators.cg import inner
from invscore.operators.svd import SVD
from invscore.priors.base import Prior

MISFIT = 2.0
"""Mean square of the residual in units of the noise beyond which a result is moved."""
BISECTIONS = 40


def reconciled(problem: InverseProblem, prior: Prior, x: Tensor) -> Tensor:
    """Results ``x``, (b, \\*in_shape), moved until the residual is the noise, if it is faint.

    Methods leave errors of the finest level at which they ask the prior, or larger. Noise below
    that, ``s < |A| levels.finest(prior)``, says more of the image than they do, and where the
    residual exceeds it, y has the last word. Others, and those of a nonlinear operator or of other
    than Gaussian noise, stay as they are.
    """
    operator, noise = problem.operator, problem.noise
    if not (isinstance(operator, LinearOperator) and isinstance(noise, GaussianNoise)):
        return x
    level = noise.level(problem.y).flatten().expand(len(x))
    if not bool((level < operator.norm() * levels.finest(prior)).any()):
        return x
    faint = level < operator.norm() * levels.finest(prior)
    moved = broadcast(faint & (problem.discrepancy(x) ** 2 > MISFIT), x) != 0
    if not bool(moved.any()):
        return x
    try:
        f = operator.svd(problem.y.dtype)
    except NotImplementedError:
        fitted = iterated(problem, operator, x, iterations=500)
    else:
        fitted = _tikhonov(problem, f, level, prior.variance**0.5, x)
    explained = problem.discrepancy(fitted) ** 2 <= MISFIT
    distance = (fitted - x).flatten(1).abs().square().mean(dim=1)
    # Two draws of the prior have twice its variance between them.
    near = distance <= torch.where(explained, 2.0, 1.0) * prior.variance
    return torch.where(moved & (broadcast(near, x) != 0), fitted, x)


def _tikhonov(problem: InverseProblem, f: SVD, level: Tensor, widest: float, x: Tensor) -> Tensor:
    """``x + (A^H A + rho)^-1 A^H (y - A x)`` of the largest rho that explains y, one an image.

    At least that of errors of the deviation ``widest``.
    """
    residual = problem.residual(x)
    c = f.uh(residual)
    goal = level**2 * problem.count
    unseen = residual - f.u(c)
    beyond = inner(unseen, unseen).flatten()
    low, high = 2 * (level / widest).log(), 2 * f.s.max().log().expand(len(x)) + 10
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        rho = broadcast(middle.exp(), c)
        left = rho / (f.s**2 + rho) * c
        fits = inner(left, left).flatten() + beyond <= goal
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    return x + f.v(f.s / (f.s**2 + broadcast(low.exp(), c)) * c)


def iterated(
    problem: InverseProblem,
    operator: LinearOperator,
    x: Tensor,
    *,
    discrepancy: float = 1.0,
    iterations: int = 200,
) -> Tensor:
    """Conjugate gradients on least squares from ``x``, (b, \\*in_shape), stopped at the noise.

    Each image stops at the first whose residual is ``discrepancy`` times what the noise explains
    (Hestenes & Stiefel 1952; Hanke 1995), or after ``iterations``.
    """
    residual = problem.residual(x)
    gradient = direction = operator.rmatvec(residual)
    energy = start = inner(gradient, gradient)
    for _ in range(iterations):
        loud = problem.misfit_of(residual).reshape(energy.shape) > discrepancy**2
        active = loud & (energy > 1e-12 * start)
        if not bool(active.any()):
            break
        image = operator.matvec(direction)
        curvature = inner(image, image).reshape(energy.shape)
        step = torch.where(active & (curvature > 0), energy / curvature, 0.0)
        x = x + step * direction
        residual = problem.residual(x)
        gradient = operator.rmatvec(residual)
        previous, energy = energy, torch.where(active, inner(gradient, gradient), energy)
        direction = gradient + torch.where(active, energy / previous, 0.0) * direction
    return x
