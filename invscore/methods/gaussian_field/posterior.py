"""A stationary Gaussian field given a linear measurement: what a residual says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.operators.cg import least_squares

LOUDEST = 30.0
"""Largest residual, in standard deviations of the field, to which the tolerance of conjugate
gradients is relative."""


@dataclass
class Unexplained:
    """A ``residual`` and its noise's standard ``deviation`` (``None``: 1), and what may explain it.

    That is a field of variances ``c`` on spectra; ``power`` is what ``A^H S^-1 A`` passes of each
    frequency. Whoever explains it takes it apart: what is as large as an image is not held while
    systems are solved.
    """

    residual: Tensor
    deviation: Tensor | None
    c: Tensor
    power: Tensor

    def taken(self) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        """All four, removed so that their memory is free."""
        parts = self.residual, self.deviation, self.c, self.power
        del self.residual, self.deviation, self.c, self.power
        return parts


def explained(
    forward: Callable[[Tensor], Tensor],
    adjoint: Callable[[Tensor], Tensor],
    given: Unexplained,
    bands: FrequencyBands,
    *,
    scale: Tensor | None = None,
    start: Tensor | None = None,
    iterations: int,
    limit: Tensor | None = None,
    tolerance: float = 1e-5,
    ask: bool = False,
) -> Tensor:
    """What a residual tells of a Gaussian field, ``C A^H (A C A^H + S)^-1 residual``: spectra.

    The field has a ``scale`` at each place that is not in what is returned; A is ``forward`` from
    images. By conjugate gradients on spectra, in coordinates in which the system is the identity
    where the ``power`` of what is ``given`` is all that it does: as many as ``least_squares``
    makes, from the spectra ``start`` on, or from 0.
    """
    residual, deviation, c, power = given.taken()
    rest = (power * c).add_(1).reciprocal_()
    gain = (c * rest).sqrt_()
    whitened = [_over(residual, deviation)]
    told = gain
    if deviation is not None and deviation.shape[1:].numel() == 1:  # which A leaves as it is
        told, deviation = gain / deviation.reshape(-1, *[1] * (gain.ndim - 1)), None
    del c, power, residual  # as large as images, and of no use any more

    def scaled(x: Tensor) -> Tensor:
        return x if scale is None else scale * x

    return gain * least_squares(
        lambda v: _over(forward(scaled(bands.image(told * v))), deviation),
        lambda u: told * bands.spectrum(scaled(adjoint(_over(u, deviation)))),
        whitened.pop(),
        start=None if start is None else start / gain,
        damping=rest,
        tolerance=tolerance,
        loudest=LOUDEST,
        iterations=iterations,
        limit=limit,
        ask=ask,
    )


def _over(values: Tensor, deviation: Tensor | None) -> Tensor:
    return values if deviation is None else values / deviation
