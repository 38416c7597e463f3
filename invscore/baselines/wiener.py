"""The best linear estimate: the posterior mean of a Gaussian field with a power-law spectrum."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.baselines.base import register, require_planar, require_positive
from invscore.likelihood import InverseProblem
from invscore.methods.gaussian_field.power_law import EXPONENT, field_mean
from invscore.operators import LinearOperator
from invscore.operators.cg import inner
from invscore.priors.base import Prior


@register(
    "wiener",
    point_estimate=True,
    needs=("linear", "gaussian"),
    cites="Wiener 1949; spectrum: Field 1987",
)
def wiener(
    problem: InverseProblem,
    prior: Prior | None = None,  # noqa: ARG001
    *,
    seed: int = 0,  # noqa: ARG001
    exponent: float = EXPONENT,
    deviation: float = 0.25,
) -> Tensor:
    """The Wiener filter: the posterior mean under a Gaussian field of power ``|f|^-exponent``.

    ``m + C A^H (A C A^H + s^2)^-1 (y - A m)``, C the covariance of the field and m the constant
    image that fits y best. In closed form, or by conjugate gradients: masks, projections and
    decimation, which mix frequencies, get their exact posterior mean too. The field wraps around;
    behind blurs with a border, and behind decimation, it is mirrored there. Real and imaginary
    parts of complex images have the same law and are independent.

    ``exponent``: 1 to 4; the power of photographs falls with 2, and 3 serves them better.
    ``deviation``: standard deviation of a pixel, in image units: 0.1 to 0.4.
    """
    require_positive(deviation=deviation)
    operator, y, _ = require_planar(problem, "wiener")
    return field_mean(problem, operator, best_constant(operator, y), exponent, deviation**2)


def best_constant(operator: LinearOperator, y: Tensor) -> Tensor:
    """The constant images, (b, \\*in_shape), whose measurements are nearest to ``y``."""
    dtype = y.real.dtype.to_complex() if operator.in_complex else y.real.dtype
    ones = torch.ones(len(y), *operator.in_shape, dtype=dtype, device=y.device)
    seen = operator.matvec(ones)
    energy = inner(seen, seen).reshape(-1)
    product = (seen.conj() * y).reshape(len(y), -1).sum(dim=1)
    level = torch.where(energy > 0, product / energy, 0)
    level = level if operator.in_complex else level.real
    return level.reshape(-1, *[1] * (ones.ndim - 1)) * ones
