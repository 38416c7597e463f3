"""Information of a linear measurement on an image, in a basis in which it is diagonal."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

import torch
from torch import Tensor

from invscore.operators import LinearOperator
from invscore.priors.noise_covariance import LARGEST, Basis, Kind

ROUNDING = 100.0
"""Rounding errors by which a diagonal matrix may differ from its diagonal."""


class Information(NamedTuple):
    """``A^H A = V diag(weights) V^H``: ``weights`` (1, \\*in_shape), not negative."""

    basis: Basis
    weights: Tensor


def information(
    operator: LinearOperator, like: Tensor, kinds: Collection[Kind]
) -> Information | None:
    """The information of ``operator`` in the first of ``kinds`` that diagonalises it, or None.

    ``like``: an image or a batch of them, for device and dtype. A linear map that agrees with a
    diagonal one on a random image agrees with it everywhere: so masks, blurs of periodic images,
    Fourier sampling, and whatever else multiplies or filters are found, however they are made. In
    the basis of its singular vectors, a matrix, every operator on few real numbers is.
    """
    shape = tuple(operator.in_shape)
    blank = torch.zeros(1, *shape, dtype=like.dtype, device=like.device)
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(blank.shape, generator=generator, dtype=like.dtype).to(like.device)
    image = operator.normal(probe)
    allowed = ROUNDING * torch.finfo(like.dtype).eps * float(image.abs().square().sum().sqrt())

    def same(candidate: Information) -> bool:
        basis, weights = candidate.basis, candidate.weights
        found = basis.synthesise(weights * basis.analyse(probe))
        return float((found - image).abs().square().sum().sqrt()) <= allowed

    if "pixels" in kinds:
        weights = operator.normal(torch.ones_like(blank)).real.clamp_min(0)
        if same(candidate := Information(Basis("pixels"), weights)):
            return candidate
    if "frequencies" in kinds and len(shape) > 1:
        blank[..., 0, 0] = 1
        transfer = torch.fft.fft2(operator.normal(blank)).real.clamp_min(0)
        if same(candidate := Information(Basis("frequencies"), transfer)):
            return candidate
    d = math.prod(shape)
    if "matrix" in kinds and d <= LARGEST and not operator.in_complex:
        unit = torch.eye(d, dtype=like.dtype, device=like.device).reshape(d, *shape)
        normal = operator.normal(unit).reshape(d, d).double()
        values, vectors = torch.linalg.eigh(0.5 * (normal + normal.T))
        weights = values.clamp_min(0).reshape(1, *shape).to(like.dtype)
        return Information(Basis("matrix", vectors), weights)
    return None
