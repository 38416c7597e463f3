"""Pixels that are measured one by one."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.operators import Identity, LinearOperator

TINY = 1e-6
"""Share of the largest precision below which a pixel counts as not measured."""
ALIKE = 1e-3
"""Relative difference of two probes up to which they agree, for single precision."""


def measured_pixels(problem: InverseProblem) -> Tensor | None:
    """Where the operator measures each pixel on its own, (\\*in_shape), true for each of these.

    None where it measures all of them, or none on its own: ``A^H A`` is diagonal where random signs
    come back as they are, times the same numbers for other signs.

    >>> import torch
    >>> from invscore import GaussianNoise, InverseProblem
    >>> from invscore.operators import Inpainting
    >>> from invscore.uncertainty.measured import measured_pixels
    >>> operator = Inpainting.random((1, 10, 10), keep=0.3)
    >>> problem = InverseProblem(operator, torch.zeros(1, 1, 10, 10), GaussianNoise(0.1))
    >>> int(measured_pixels(problem).sum())
    30
    """
    operator = problem.operator
    if not isinstance(operator, LinearOperator) or isinstance(operator, Identity):
        return None
    generator = torch.Generator().manual_seed(0)
    found: list[Tensor] = []
    for _ in range(2):
        signs = 2.0 * torch.randint(2, (1, *operator.in_shape), generator=generator) - 1
        signs = signs.to(problem.y.device, problem.image_dtype)
        found.append(((operator.normal(signs) * signs).real)[0])
    largest = found[0].abs().max()
    if bool((found[0] - found[1]).abs().max() > ALIKE * largest):
        return None
    measured = found[0] > TINY * largest
    return None if bool(measured.all()) else measured
