"""The posterior of images under a Gaussian field with a power-law spectrum: mean and draws."""

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
from invscore.rng import SampleRNG

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
    y: Tensor | None = None,
) -> Tensor:
    """The posterior mean of a Gaussian field of power ``|f|^-exponent`` and pixel ``variance``.

    ``mean``: that of the field, (b, \\*channels, h, w). The noise of y is taken to be Gaussian of
    the variance at ``A mean``. ``y``: what is taken for the measurement, (b, \\*out_shape), by
    default that of the ``problem``.
    """
    y = problem.y if y is None else y
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
        shift = gain * bands.spectrum(operator.rmatvec(y - seen))
    elif decimated is not None and even:
        told, precision = told_sums(decimated, y - seen, noise.reshape(-1, 1, 1, 1))
        shift = explained_sums(decimated, c, told, precision)
    elif isinstance(operator, Blur) and bands.mirrored and exponent > 0:
        residual = y - seen
        del seen, c, power, passed, inverse, near, y
        shift = explained_at_border(
            operator, residual, noise, bands, lambda of: of.power_law(exponent, variance)
        )
    else:
        residual = y - seen
        del y
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


def field_draw(
    problem: InverseProblem,
    operator: LinearOperator,
    mean: Tensor,
    exponent: float,
    variance: float,
    rng: SampleRNG,
    common: float = 0.0,
) -> Tensor:
    """A draw of the posterior whose mean ``field_mean`` is, of the same arguments.

    A draw of the field, and what y and a draw of its noise tell beyond it (perturb and fit,
    Papandreou & Yuille 2010). The mean over an antithetic pair is the posterior's. ``common``: the
    correlation of the channels of the field that is drawn.
    """
    bands = bands_of_guess(operator, mean)
    white = rng.normal_like(mean)
    if mean.shape[1] > 1 and common > 0:
        shared = rng.normal_like(mean[:, :1])
        white = common**0.5 * shared + (1 - common) ** 0.5 * white
    waves = bands.spectrum(white)  # which channels have alike
    del white
    waves *= bands.power_law(exponent, variance).sqrt()
    field = bands.image(waves)
    del waves, bands

    def beyond() -> Tensor:  # which is not held here
        deviation = problem.noise.variance(operator.matvec(mean.contiguous())).sqrt()
        noise = deviation * rng.normal_like(problem.y)
        return (problem.y - operator.matvec(field)).add_(noise)

    return field.add_(field_mean(problem, operator, mean, exponent, variance, beyond()))


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
