"""A Gaussian field given a linear measurement: its mean, and draws from it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.operators import LinearOperator
from invscore.operators.cg import conjugate_gradient
from invscore.rng import SampleRNG

ITERATIONS = 1000
"""Of conjugate gradients, the most there may be."""


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
        each = problem.noise.variance(problem.y)
        images = len(each) if each.ndim else 1
        found = []
        for probe in bands.probes:
            answer = operator.normal(bands.image(probe[None]).expand(images, *operator.in_shape))
            found.append((probe.conj() * bands.spectrum(answer)).real)
        powers = [steadied(of_image) for of_image in torch.stack(found, dim=1)]
        self._power = torch.stack(powers).clamp_min(0)

    def mean(self, mean: Tensor, field: GaussianField) -> Tensor:
        """That of the posterior, (b, \\*in_shape), for a field about ``mean``."""
        seen = self._operator.matvec(mean)
        variance = self._problem.noise.variance(seen)
        return mean + self._shift(self._problem.y - seen, variance, field)

    def spread(self, mean: Tensor, field: GaussianField, rng: SampleRNG) -> Tensor:
        """A draw from the posterior less its mean."""
        variance = self._problem.noise.variance(self._operator.matvec(mean))
        away = field.scale * self._bands.filter(rng.normal_like(mean), field.c.sqrt())
        noise = variance.sqrt() * rng.normal_like(self._problem.y)
        residual = -self._operator.matvec(away) - noise
        return away + self._shift(residual, variance, field)

    def _shift(self, residual: Tensor, variance: Tensor, field: GaussianField) -> Tensor:
        """What a ``residual`` in noise of the ``variance`` says of the field."""
        operator, bands = self._operator, self._bands
        c, scale = field
        each = (1 / variance).expand(residual.shape).flatten(1).mean(dim=1)
        power = each.reshape(-1, *[1] * (c.ndim - 1)) * self._power
        gain, rest = (c / (1 + power * c)).sqrt(), 1 / (1 + power * c)

        def apply(v: Tensor) -> Tensor:
            spectrum = bands.spectrum(v)
            seen = operator.matvec(scale * bands.image(gain * spectrum))
            fitted = bands.spectrum(scale * operator.rmatvec(seen / variance))
            return bands.image(gain * fitted + rest * spectrum)

        whitened = conjugate_gradient(
            apply,
            bands.filter(scale * operator.rmatvec(residual / variance), gain),
            tolerance=self._tolerance,
            iterations=ITERATIONS,
        )
        return scale * bands.filter(whitened, gain)


def steadied(found: Tensor) -> Tensor:
    """The mean of several estimates, (k, \\*grid), drawn to one number as far as they are noise."""
    mean = found.mean(dim=0)
    noise = found.var(dim=0).mean() / len(found)
    signal = (1 - noise / mean.var(correction=0).clamp_min(1e-30)).clamp(0, 1)
    return mean.mean() + signal * (mean - mean.mean())
