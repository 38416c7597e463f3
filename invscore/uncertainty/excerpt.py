"""The middle of a large picture, where that tells as much as the whole."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.operators import Identity, Inpainting

LARGEST = 1024
"""Rows and columns of the middle part over which averages are taken."""


def middle_of(shape: tuple[int, ...]) -> tuple[Any, ...]:
    """The part of (\\*, h, w) about its centre, of at most so many rows and columns."""
    starts = [max(0, (length - LARGEST) // 2) for length in shape[-2:]]
    return (..., *(slice(start, start + LARGEST) for start in starts))


def excerpt(problem: InverseProblem, samples: Tensor) -> tuple[InverseProblem, Tensor]:
    """The problem of the middle, and of ``samples``, (n, b, \\*in_shape), what is there.

    Of what is measured pixel by pixel; everything else, and what is small, stays as it is.
    """
    operator, middle = problem.operator, middle_of(problem.operator.in_shape)
    part = samples[middle]
    if part.shape == samples.shape or not isinstance(operator, Identity | Inpainting):
        return problem, samples
    if isinstance(operator, Identity):
        return InverseProblem(Identity(part.shape[2:]), problem.y[middle], problem.noise), part
    mask = operator.weight.single[middle]
    if not bool(mask.any()):
        return problem, samples
    return InverseProblem(Inpainting(mask, part.shape[2:]), problem.y[middle], problem.noise), part
