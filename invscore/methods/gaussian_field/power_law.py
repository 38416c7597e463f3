"""The posterior mean of images under a Gaussian field with a power-law spectrum."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.gaussian_field import coarse_start as coarse
from invscore.methods.gaussian_field.bordered import explained_at_border
from invscore.methods.gaussian_field.decimated import explained_sums, told_sums
from invscore.methods.gaussian_field.operator_power import OperatorPower
from invscore.methods.gaussian_field.posterior import Unexplained, explained
from invscore.methods.gaussian_field.waves import bands_of_guess
from invscore.operators import Blur, Inpainting, LinearOperator, SuperResolution

EXPONENT = 3.0
"""Exponent of the power spectrum: photographs have about 2, and 3 restores better."""
ITERATIONS, TOLERANCE = 1000, 1e-6
"""Iterations and relative tolerance of conjugate gradients, where there is no closed form."""
QUIETEST, PRECISE = 5e-4, 1e-2
"""Noise relative to the measured part of the field: the least that the iterations converge with,
and that below which they are made in double precision."""


def field_mean(
    problem: InverseProblem,
    operator: LinearOperator,
    mean: Tensor,
    exponent: float,
    variance: float,
) -> Tensor:
    """The posterior mean of a Gaussian field of power ``|f|^-exponent`` and pixel ``variance``.

    ``mean``: that of the field, (b, \\*channels, h, w). The noise of y is taken to be Gaussian of
    the variance at ``A mean``.
    """
    bands = bands_of_guess(operator, mean)
    passed = OperatorPower.of(operator, bands)
    loud = float(passed.power.max().sqrt()) * variance**0.5
    each = problem.measured(problem.noise.variance(problem.y).expand(problem.y.shape))
    quiet = float(each.amin().sqrt()) < PRECISE * loud
    del each
    near = mean
    if quiet:
        # Rounding errors of A^H W y count as much as |A| sqrt(c) / s in deviations of the field.
        operator, near = _in_double_precision(operator, mean)
        bands = bands_of_guess(operator, near)
    c = bands.power_law(exponent, variance)
    seen = operator.matvec(near.contiguous())
    noise = problem.noise.variance(seen)
    even = noise.shape[1:].numel() == 1
    decimated = operator if isinstance(operator, SuperResolution) and bands.mirrored else None
    if not ((passed.is_filter or decimated is not None) and even):
        noise = noise.clamp_min((QUIETEST * loud) ** 2)
    inverse = problem.measured((1 / noise).expand(seen.shape)).flatten(1).mean(dim=1)
    power = inverse.reshape(-1, *[1] * (c.ndim - 1)) * passed.power
    if passed.is_filter and even:
        gain = c / (1 + power * c) / noise.reshape(-1, *[1] * (c.ndim - 1))
        shift = gain * bands.spectrum(operator.rmatvec(problem.y - seen))
    elif decimated is not None and even:
        told, precision = told_sums(decimated, problem.y - seen, noise.reshape(-1, 1, 1, 1))
        shift = explained_sums(decimated, c, told, precision)
    elif isinstance(operator, Blur) and bands.mirrored and exponent > 0:
        residual = problem.y - seen
        del seen, c, power, passed, inverse, near
        shift = explained_at_border(
            operator, residual, noise, bands, lambda of: of.power_law(exponent, variance)
        )
    else:
        residual = problem.y - seen
        start = None
        if isinstance(operator, Inpainting) and exponent > 0:
            weight = operator.weight.like(residual)
            values = residual / torch.where(weight > 0, weight, 1.0)
            precision = (weight.square() / noise).expand_as(values)
            start = coarse.coarse_start(precision, values, exponent, variance)
            del weight, values, precision
        tolerance = TOLERANCE if start is None else coarse.TOLERANCE
        start = None if start is None else bands.spectrum(start)
        given = Unexplained(residual, noise.sqrt(), c, bands.even(power))
        del seen, noise, c, power, passed, inverse, near, residual
        shift = explained(
            operator.matvec,
            operator.rmatvec,
            given,
            bands,
            iterations=ITERATIONS,
            tolerance=tolerance,
            start=start,
            ask=True,
        )
    return mean + bands.image(shift).to(mean.dtype)


def _in_double_precision(operator: LinearOperator, mean: Tensor) -> tuple[LinearOperator, Tensor]:
    """``operator`` and ``mean``, as they are where the operator cannot be had in it."""
    wide = torch.promote_types(mean.dtype, torch.float64)
    try:
        double, near = operator.to(dtype=torch.float64), mean.to(wide)
        if double.matvec(near).real.dtype == torch.float64:
            return double, near
    except (RuntimeError, TypeError):  # tensors out of reach, or a device without doubles
        pass
    return operator, mean
