"""The posterior mean of images under a Gaussian field with a power-law spectrum."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.methods.gaussian_field.posterior import GaussianField, GaussianFieldPosterior
from invscore.operators import LinearOperator
from invscore.priors.stationary import StationaryGaussianPrior

EXPONENT = 3.0
"""Of the power of images: that of photographs falls with 2 (GaussianXX), and 3 serves better."""


def field_mean(
    problem: InverseProblem,
    operator: LinearOperator,
    mean: Tensor,
    exponent: float,
    variance: float,
) -> Tensor:
    """The posterior mean of a Gaussian field of power ``|f|^-exponent`` and pixel ``variance``.

    ``mean``: that of the field, (b, \\*channels, h, w).
    """
    bands = FrequencyBands(mean)
    field = StationaryGaussianPrior.power_law(
        operator.in_shape, exponent=exponent, variance=variance, dtype=mean.real.dtype
    )
    columns = bands.spectrum(mean[:1]).shape[-1]
    c = field.spectrum[None, ..., :columns].to(mean.device)
    posterior = GaussianFieldPosterior(problem, operator, bands, tolerance=1e-6)
    return posterior.mean(mean, GaussianField(c, torch.ones_like(c[..., :1, :1])))
