"""Factors and offsets between the units of a measurement and those of a prior."""

from __future__ import annotations

import math
from typing import Literal

import torch

from invscore.batches import PerImage
from invscore.estimation.offset import estimate_offset
from invscore.estimation.scale import estimate_scale
from invscore.likelihood import InverseProblem
from invscore.operators import LinearOperator
from invscore.priors.base import Prior


def scale_factors(
    problem: InverseProblem, prior: Prior, scale: float | Literal["auto"]
) -> list[float]:
    """Factors by which the measurement of each image is divided."""
    if scale == "auto":
        return [float(factor) for factor in estimate_scale(problem, prior)]
    if isinstance(scale, str) or not (scale > 0 and math.isfinite(scale)):
        raise ValueError(f"`scale` must be a positive number or 'auto', got {scale!r}")
    if scale != 1 and not isinstance(problem.operator, LinearOperator):
        raise ValueError(
            "`scale` must be 1 or 'auto' for a nonlinear operator, which another factor would make "
            f"another problem, got {scale:g}"
        )
    return [float(scale)] * len(problem.y)


def offsets(problem: InverseProblem, prior: Prior, scale: float | Literal["auto"]) -> PerImage:
    """Offsets to subtract from each image: nothing where ``scale`` is declared."""
    return one_number(estimate_offset(problem, prior).tolist()) if scale == "auto" else 0.0


def shifted(problem: InverseProblem, offset: PerImage) -> InverseProblem:
    """``problem`` of images from which ``offset`` has been subtracted."""
    alone = isinstance(offset, float) and offset == 0
    return problem if alone else problem.shifted(offset)


def one_number(factors: list[float]) -> PerImage:
    """The common value, where all are alike."""
    return factors[0] if len(set(factors)) == 1 else torch.tensor(factors, dtype=torch.float64)


def in_prior_units(problem: InverseProblem, factors: list[float]) -> InverseProblem:
    """``problem`` with the measurement of each image divided by its factor."""
    factor = one_number(factors)
    alone = isinstance(factor, float) and factor == 1
    return problem if alone else problem.scaled(1 / factor)
