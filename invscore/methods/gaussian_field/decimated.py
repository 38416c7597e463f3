"""A Gaussian field behind decimation, which sees sums of few independent cosines each."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.methods.gaussian_field.frequency_bands import FrequencyBands
from invscore.operators import SuperResolution


def told_sums(operator: SuperResolution, y: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """What measurements ``y`` tell of ``operator.summed`` of cosines, and with which precision.

    Their noise has a ``variance`` that broadcasts against them. Both are of y's shape but for a
    batch of 1 for all; where nothing is told both are 0.
    """
    svd = operator.svd(y.dtype)
    coefficients = FrequencyBands.of(y, mirrored=True).spectrum(y)
    told = torch.where(svd.seen, coefficients / torch.where(svd.seen, svd.s, 1.0), 0)
    return told, torch.where(svd.seen, svd.s, 0.0).square() / variance


def explained_sums(
    operator: SuperResolution, c: Tensor, residual: Tensor, precision: Tensor
) -> Tensor:
    """What a ``residual`` of sums of cosines tells of a Gaussian field: its spectrum.

    Cosines have variances ``c``, (b, \\*in_shape). Each of their sums, ``operator.summed``, is of
    some that no other has, and the residual tells it with a ``precision``: what one number tells of
    a vector has a closed form, ``c w p / (1 + p w^T c w)`` (Sherman & Morrison 1950; of waves Zhao
    et al. 2016, Fast single image super-resolution, Eq. 15).
    """
    of_sum = operator.summed(c, squared=True)
    return c * operator.parted(residual * precision / (1 + precision * of_sum))
