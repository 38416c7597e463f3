"""Draws from a stationary Gaussian given a linear measurement."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.rings import Rings
from invscore.operators import LinearOperator
from invscore.operators.cg import conjugate_gradient
from invscore.rng import SampleRNG

PROBES = 8
"""Random images by which an operator's gain at each frequency is found."""
TOLERANCE, ITERATIONS = 1e-3, 50
"""Of conjugate gradients: the errors left are small beside the noise of a draw."""


class StationaryDraw:
    """Draws of ``x0 ~ N(mean, F^H c F)`` given ``y = A x0 + noise``, F the Fourier transform.

    Perturb and fit (Papandreou & Yuille 2010): a draw of x0 and of y, moved by what the true y says
    of it. The shift is the solution d of ``(A^H W A + C^-1) d = A^H W (y - A x0 - noise)``, W the
    inverse variance of the noise at ``A mean``, by conjugate gradients in coordinates in which the
    system is the identity wherever ``A^H A`` is a filter, as blurs and Fourier sampling are. The
    filter nearest to other A^H A is found by random images.
    """

    def __init__(self, problem: InverseProblem, operator: LinearOperator, rings: Rings) -> None:
        self._problem, self._operator, self._rings = problem, operator, rings
        generator = torch.Generator().manual_seed(0)
        shape = (PROBES, *operator.in_shape)
        dtype, device = problem.image_dtype, problem.y.device
        spectrum = rings.spectrum(torch.randn(shape, dtype=dtype, generator=generator).to(device))
        # Of modulus 1 at every frequency, so that a filter is found without error.
        probe = spectrum / spectrum.abs().clamp_min(1e-6)
        answer = rings.spectrum(operator.normal(rings.image(probe)))
        self._power = steadied((probe.conj() * answer).real).clamp_min(0)

    def __call__(self, mean: Tensor, c: Tensor, rng: SampleRNG) -> Tensor:
        """One draw an image: ``mean`` (b, \\*in_shape), variances ``c`` on its spectrum."""
        operator, rings = self._operator, self._rings
        variance = self._problem.noise.variance(operator.matvec(mean))
        x0 = mean + rings.filter(rng.normal_like(mean), c.sqrt())
        noise = variance.sqrt() * rng.normal_like(self._problem.y)
        residual = (self._problem.y - operator.matvec(x0) - noise) / variance

        each = (1 / variance).expand(self._problem.y.shape).flatten(1).mean(dim=1)
        power = each.reshape(-1, *[1] * (c.ndim - 1)) * self._power
        gain, rest = (c / (1 + power * c)).sqrt(), 1 / (1 + power * c)

        def apply(v: Tensor) -> Tensor:
            spectrum = rings.spectrum(v)
            fitted = operator.rmatvec(operator.matvec(rings.image(gain * spectrum)) / variance)
            return rings.image(gain * rings.spectrum(fitted) + rest * spectrum)

        shift = conjugate_gradient(
            apply,
            rings.filter(operator.rmatvec(residual), gain),
            tolerance=TOLERANCE,
            iterations=ITERATIONS,
        )
        return x0 + rings.filter(shift, gain)


def steadied(found: Tensor) -> Tensor:
    """The mean of several estimates, (k, \\*grid), drawn to one number as far as they are noise."""
    mean = found.mean(dim=0)
    noise = found.var(dim=0).mean() / len(found)
    signal = (1 - noise / mean.var().clamp_min(1e-30)).clamp(0, 1)
    return mean.mean() + signal * (mean - mean.mean())
