"""The measurement fitted as far as its noise allows: the discrepancy principle (Morozov 1966)."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore import levels
from invscore.likelihood import WRITTEN, GaussianNoise, InverseProblem
from invscore.methods.gaussian_field.power_law import field_mean
from invscore.noise import RaisedNoise
from invscore.operators import LinearOperator
from invscore.operators.base import broadcast
from invscore.operators.cg import inner
from invscore.operators.svd import SVD
from invscore.priors.base import Prior

MISFIT = 2.0
"""Mean square of the residual, in units of the noise variance, beyond which a result is moved."""
GAIN = 0.01
"""Relative decrease of the squared residual at which y is explained as well as it can be."""
WIDTHS = 40
ROUNDS, MOST_ROUNDS = 2, 6
"""Least and most rounds of conjugate gradients; further ones while y is not explained."""
WIDER = 4.0
"""Factor by which the assumed variance of the error of x grows from round to round."""


def reconciled(problem: InverseProblem, prior: Prior, x: Tensor) -> Tensor:
    """Results ``x``, (b, \\*in_shape), moved until the residual is the noise, if it is faint.

    Methods leave errors of the finest level at which they ask the prior, or larger. Noise below
    that, ``s < |A| levels.finest(prior)``, says more of the image than they do, and where the
    residual exceeds it, y has the last word. Others, and those of a nonlinear operator or of other
    than Gaussian noise, stay as they are.

    In double precision, where the device and the operator have it: then s is the noise that was
    declared, be it below the rounding errors of A(x) in single precision, down to those that y was
    written with.
    """
    operator, noise = problem.operator, problem.noise
    if not (isinstance(operator, LinearOperator) and isinstance(noise, GaussianNoise)):
        return x
    level = noise.level(problem.y).flatten().expand(len(x))
    if not bool((level < operator.norm() * levels.finest(prior)).any()):
        return x
    faint = level < operator.norm() * levels.finest(prior)
    problem, operator, start = _precisely(problem, operator, x)
    assert isinstance(problem.noise, GaussianNoise)
    level = problem.noise.level(problem.y).flatten().expand(len(x))
    before = problem.discrepancy(start) ** 2
    moved = broadcast(faint & (before > MISFIT), x) != 0
    if not bool(moved.any()):
        return x
    try:
        f = operator.svd(problem.y.dtype)
    except NotImplementedError:
        fitted = _field(problem, operator, prior, start)
    else:
        errors = levels.geometric(WIDTHS, prior.variance**0.5, levels.finest(prior))
        fitted = _tikhonov(problem, f, level, errors, start)
    after = problem.discrepancy(fitted) ** 2
    explained = after <= MISFIT
    # Iterations may not reach so little noise; where there is more of it, less is gained.
    gained = after < GAIN * before
    fitted = fitted.to(x.dtype)
    distance = (fitted - x).flatten(1).abs().square().mean(dim=1)
    # Two draws of the prior have twice its variance between them.
    near = distance <= torch.where(explained, 2.0, 1.0) * prior.variance
    better = (explained | gained) & near
    return torch.where(moved & (broadcast(better, x) != 0), fitted, x)


def _precisely(
    problem: InverseProblem, operator: LinearOperator, x: Tensor
) -> tuple[InverseProblem, LinearOperator, Tensor]:
    """The problem, its operator and ``x`` in double precision, or as they are."""
    y, noise = problem.y, problem.noise
    wide = torch.promote_types(y.dtype, torch.float64)
    try:
        operator, start = (
            operator.to(dtype=torch.float64),
            x.to(wide.to_complex() if x.is_complex() else torch.float64),
        )
        exact = operator.matvec(start).dtype == wide
    except (RuntimeError, TypeError):  # tensors out of reach, or a device without doubles
        exact = False
    if wide == y.dtype or not exact:
        assert isinstance(problem.operator, LinearOperator)
        return problem, problem.operator, x
    if isinstance(noise, RaisedNoise):
        size = problem.measured(y).flatten(1).abs().square().mean(dim=1).sqrt().double()
        written = WRITTEN * torch.finfo(y.dtype).eps * size
        declared = torch.as_tensor(noise.declared, dtype=written.dtype, device=written.device)
        noise = GaussianNoise(torch.maximum(declared, written))
    return InverseProblem(operator, y.to(wide), noise), operator, start


def _tikhonov(
    problem: InverseProblem, f: SVD, level: Tensor, deviations: list[float], x: Tensor
) -> Tensor:
    """``x + (A^H A + s^2 / t^2)^-1 A^H (y - A x)``, t the deviation of the error of x.

    Of ``deviations``, the one that makes the residual most likely if the error is white: its
    coefficients are then normal, of variance ``s^2 + a^2 t^2``, a the singular values.
    """
    c = f.uh(problem.residual(x))
    seen = f.seen.expand(c.shape)
    power = c.abs().square() / (2 if c.is_complex() else 1)
    s2 = broadcast(level**2, c)
    best, chosen = torch.full_like(level, torch.inf), torch.zeros_like(level)
    for t in deviations:
        variance = s2 + (t * f.s) ** 2
        cost = torch.where(seen, variance.log() + power / variance, 0.0).flatten(1).sum(dim=1)
        chosen = torch.where(cost < best, t, chosen)
        best = torch.minimum(cost, best)
    rho = s2 / broadcast(chosen**2, c)
    return x + f.v(torch.where(seen, f.s / (f.s**2 + rho), 0.0) * c)


def _field(problem: InverseProblem, operator: LinearOperator, prior: Prior, x: Tensor) -> Tensor:
    """``x`` moved by what y says of its error, taken for white; of the finest level at least.

    Where A is nearly blind the error is larger than the residual tells: where y is not explained,
    it is taken for larger, round by round.
    """
    finest = levels.finest(prior)
    residual = problem.measured(problem.residual(x)).flatten(1).abs().square().mean(dim=1)
    variance = max(float(residual.max()) / operator.norm() ** 2, finest**2)
    most = max(variance, prior.variance)
    for made in range(1, MOST_ROUNDS + 1):  # one leaves what its iterations leave
        x = field_mean(problem, operator, x, 0.0, variance)
        if made >= ROUNDS:
            if bool((problem.discrepancy(x) ** 2 <= MISFIT).all()):
                break
            variance = min(WIDER * variance, most)
    return x


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
    least = (10 * torch.finfo(gradient.dtype).eps) ** 2
    for _ in range(iterations):
        loud = problem.misfit_of(residual).reshape(energy.shape) > discrepancy**2
        active = loud & (energy > least * start)
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
