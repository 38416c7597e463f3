"""A Gaussian field given a linear measurement: its mean, and draws from it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.operators import LinearOperator
from invscore.operators.cg import least_squares
from invscore.rng import SampleRNG

ITERATIONS = 1000
"""Of conjugate gradients, the most there may be."""
LOUDEST = 30.0
"""What a residual says of the field, in deviations of it: beyond, the tolerance is one of this."""
QUIETEST, PRECISE = 4e-4, 1e-2
"""Noise, beside what is measured of the field, that is as little as iterations get along with, and
below which they are made in double precision."""
FILTER = 1e-4
"""The error of a filter, beside its largest gain, of an operator that is one."""


class GaussianField(NamedTuple):
    """A Gaussian field about its mean, of covariance ``S F^H c F S``, F the Fourier transform.

    ``c``: variances on the spectrum. ``scale``, S: a number for each place, 1 if stationary.
    """

    c: Tensor
    scale: Tensor


class GaussianFieldPosterior:
    """The posterior of a Gaussian field x0 given ``y = A x0 + noise``.

    Its mean is ``mean + d`` with ``(A^H W A + C^-1) d = A^H W (y - A mean)``, C the covariance of
    the field and W the inverse variance of the noise at ``A mean``. What a draw adds to it is the
    same for a draw of the field and one of the noise (perturb and fit, Papandreou & Yuille 2010).
    By conjugate gradients in coordinates in which the system is the identity wherever the field is
    stationary and ``A^H A`` a filter, as blurs and Fourier sampling are. The filter nearest to
    other A^H A is found by random images.

    ``tolerance``: of conjugate gradients. What a wide hole is filled with hardly shows in the
    residual; beside the noise of a draw, 1e-3 is small.
    """

    def __init__(
        self,
        problem: InverseProblem,
        operator: LinearOperator,
        bands: FrequencyBands,
        *,
        tolerance: float,
    ) -> None:
        self._problem, self._operator, self._bands = problem, operator, bands
        self._tolerance = tolerance
        # An operator may be another for each image where the noise is.
        variance = problem.noise.variance(problem.y)
        images = len(variance) if variance.ndim else 1
        found = []
        for probe in bands.probes:
            answer = operator.normal(bands.image(probe[None]).expand(images, *operator.in_shape))
            found.append((probe.conj() * bands.spectrum(answer)).real)
        powers = [steadied(of_image) for of_image in torch.stack(found, dim=1)]
        self._power = torch.stack([power for power, _ in powers])
        self._norm = self._power.flatten(1).amax(dim=1).sqrt()
        self._is_filter = all(error <= FILTER * float(power.max()) for power, error in powers)
        each = problem.measured(variance.expand(problem.y.shape)).flatten(1)
        self._quietest = each.amin(dim=1).sqrt()

    def mean(self, mean: Tensor, field: GaussianField) -> Tensor:
        """That of the posterior, (b, \\*in_shape), for a field about ``mean``."""
        operator, near, field = self._precisely(mean, field)
        seen = operator.matvec(near)
        variance = self._problem.noise.variance(seen)
        return mean + self._shift(operator, self._problem.y - seen, variance, field).to(mean.dtype)

    def spread(self, mean: Tensor, field: GaussianField, rng: SampleRNG) -> Tensor:
        """A draw from the posterior less its mean."""
        white, noise = rng.normal_like(mean), rng.normal_like(self._problem.y)
        operator, near, field = self._precisely(mean, field)
        variance = self._bounded(self._problem.noise.variance(operator.matvec(near)), field)
        away = field.scale * self._bands.filter(white.to(near.dtype), field.c.sqrt())
        residual = -operator.matvec(away) - variance.sqrt() * noise
        return (away + self._shift(operator, residual, variance, field)).to(mean.dtype)

    def _shift(
        self, operator: LinearOperator, residual: Tensor, variance: Tensor, field: GaussianField
    ) -> Tensor:
        """What a ``residual`` in noise of the ``variance`` says of the field."""
        bands, (c, scale) = self._bands, field
        variance = self._bounded(variance, field)
        each = self._problem.measured((1 / variance).expand(residual.shape)).flatten(1).mean(dim=1)
        power = each.reshape(-1, *[1] * (c.ndim - 1)) * self._power
        gain, rest = (c / (1 + power * c)).sqrt(), 1 / (1 + power * c)
        deviation = variance.sqrt()
        whitened = least_squares(
            lambda v: operator.matvec(scale * bands.filter(v, gain)) / deviation,
            lambda u: bands.filter(scale * operator.rmatvec(u / deviation), gain),
            residual / deviation,
            damping=lambda v: bands.filter(v, rest),
            tolerance=self._tolerance,
            loudest=LOUDEST,
            iterations=ITERATIONS,
        )
        return scale * bands.filter(whitened, gain)

    def _bounded(self, variance: Tensor, field: GaussianField) -> Tensor:
        """No less than what conjugate gradients get along with, where they have to iterate."""
        if self._is_filter and field.scale[0].numel() == 1:
            return variance
        least = (QUIETEST * self._norm) ** 2 * field.c.flatten(1).mean(dim=1)
        return torch.maximum(variance, least.reshape(-1, *[1] * (self._problem.y.ndim - 1)))

    def _precisely(
        self, mean: Tensor, field: GaussianField
    ) -> tuple[LinearOperator, Tensor, GaussianField]:
        """The operator, ``mean`` and ``field``, in double precision where there is little noise.

        Rounding errors of ``A^H W y`` count as much as ``|A| sqrt(c) / s`` in deviations of the
        field. Where the operator cannot be had in double precision, it stays as it is.
        """
        loud = self._norm * field.c.flatten(1).mean(dim=1).sqrt()
        if not bool((self._quietest < PRECISE * loud).any()):
            return self._operator, mean, field
        wide = mean.dtype.to_complex() if mean.is_complex() else mean.dtype
        wide = torch.promote_types(wide, torch.float64)
        try:
            operator = self._operator.to(dtype=torch.float64)
            near = mean.to(wide)
            if operator.matvec(near).real.dtype != torch.float64:
                return self._operator, mean, field
        except (RuntimeError, TypeError):  # tensors out of reach, or a device without doubles
            return self._operator, mean, field
        return operator, near, GaussianField(field.c.double(), field.scale.double())


def steadied(found: Tensor) -> tuple[Tensor, float]:
    """The mean of several estimates, (k, \\*grid), drawn to one number as far as they are noise.

    And its error, which has been added to it: where next to nothing passes, too little would be
    taken for certain, and magnified in proportion.
    """
    mean = found.mean(dim=0)
    noise = found.var(dim=0).mean() / len(found)
    signal = (1 - noise / mean.var(correction=0).clamp_min(1e-30)).clamp(0, 1)
    drawn = (mean.mean() + signal * (mean - mean.mean())).clamp_min(0)
    error = (signal * noise).sqrt() + 10 * torch.finfo(found.dtype).eps * drawn.max()
    return drawn + error, float(noise.sqrt())
