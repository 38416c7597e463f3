"""A stationary Gaussian field given a linear measurement: what a residual says of it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.operators.cg import least_squares

LOUDEST = 30.0
"""What a residual says of the field, in deviations of it: beyond, the tolerance is one of this."""


def explained(
    forward: Callable[[Tensor], Tensor],
    adjoint: Callable[[Tensor], Tensor],
    residual: Tensor,
    deviation: Tensor,
    c: Tensor,
    power: Tensor,
    bands: FrequencyBands,
    *,
    scale: Tensor | None = None,
    iterations: int,
    limit: Tensor | None = None,
    tolerance: float = 1e-5,
    ask: bool = False,
) -> Tensor:
    """What a ``residual`` tells of a Gaussian field, ``C A^H (A C A^H + S)^-1 residual``: spectra.

    The field has variances ``c`` on spectra, times a ``scale`` at each place that is not in what is
    returned; A is ``forward`` from images; the noise has the standard ``deviation``. By conjugate
    gradients on spectra, in coordinates in which the system is the identity where ``power``, what
    ``A^H S^-1 A`` passes of each frequency, is all that it does: as many as ``least_squares``
    makes.
    """
    rest = 1 / (1 + power * c)
    gain = (c * rest).sqrt()

    def scaled(x: Tensor) -> Tensor:
        return x if scale is None else scale * x

    whitened = least_squares(
        lambda v: forward(scaled(bands.image(gain * v))) / deviation,
        lambda u: gain * bands.spectrum(scaled(adjoint(u / deviation))),
        residual / deviation,
        damping=lambda v: rest * v,
        tolerance=tolerance,
        loudest=LOUDEST,
        iterations=iterations,
        limit=limit,
        ask=ask,
    )
    return gain * whitened
