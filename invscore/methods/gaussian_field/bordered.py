"""A Gaussian field behind a blur with a border, told by what is measured of it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.operators import Blur
from invscore.operators.cg import conjugate_gradient

TOLERANCE = 4e-3
"""Relative tolerance of conjugate gradients: what they leave is a twentieth of the error of what
they look for."""
ITERATIONS = 200
"""Most of them; blurs of 3 pixels take 9 at a noise of 0.025."""


def explained_at_border(
    operator: Blur,
    residual: Tensor,
    variance: Tensor,
    bands: FrequencyBands,
    law: Callable[[FrequencyBands], Tensor],
) -> Tensor:
    """What a residual tells of a Gaussian field, ``C A^H (A C A^H + S)^-1 residual``: spectra.

    The field has variances on cosines, C, by a ``law`` for any size of image, here that of
    ``bands``; the noise has a ``variance``, S, which broadcasts against the residual.

    A blur that sees less than the image leaves fields about its border open, of which no filter
    tells, and conjugate gradients on images find them one by one. On what is measured ``A C A^H``
    is a filter but for the border: cosines of the size of the measurement are nearly its
    eigenvectors, and each is divided by the deviation that it would have.
    """
    data = FrequencyBands.of(residual, mirrored=True)
    height, width = data.shape[-2:]
    passed = operator.power((height, width)).to(residual)
    of_noise = variance.expand(residual.shape).flatten(1).mean(dim=1)
    c = law(bands)
    root = (passed * law(data) + of_noise.reshape(-1, *[1] * (residual.ndim - 1))).rsqrt_()

    def apply(u: Tensor) -> Tensor:
        v = data.image(root * u)
        field = bands.image(c * bands.spectrum(operator.rmatvec(v)))
        return root * data.spectrum(operator.matvec(field) + variance * v)

    u = conjugate_gradient(
        apply,
        root * data.spectrum(residual),
        tolerance=TOLERANCE,
        iterations=ITERATIONS,
    )
    return c * bands.spectrum(operator.rmatvec(data.image(root * u)))
