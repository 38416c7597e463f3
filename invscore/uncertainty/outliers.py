"""Single numbers of a measurement that nothing explains, where the others fit.

Hot and dead pixels, cosmic rays, scratches and spikes in k-space are no Gaussian noise. Behind a
blur or a projection no image has them, so that samples spoil their surroundings to come nearer.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from invscore.likelihood import GaussianNoise, InverseProblem

FAR = 6.0
"""Residual in units of the noise from which on a number is no sum of image and Gaussian noise."""

ALONE = 2.0
"""Least ratio of a residual to those beside it by which it is a single one: along an edge that a
wrong kernel leaves they are alike."""

FEWEST = 2
"""Fewest single numbers that are told."""

TAIL, BY_CHANCE = 4.0, 2e-4
"""Residual beyond which edges, and noise of a larger level in a region or in all, leave many
numbers for each single one, and the share that chance is allowed there (it is 6e-5)."""

REACH = 4
"""Distance within which samples spoil what is around a single number."""


def outlier_warnings(problem: InverseProblem, found: Iterable[Tensor]) -> tuple[str, ...]:
    """A sentence where single numbers of a measurement (b, \\*, h, w) do not fit, and others do.

    ``found``: the residuals of samples in units of the noise, (b, \\*out_shape) each.
    """
    if not isinstance(problem.noise, GaussianNoise) or problem.y.ndim < 4:
        return ()
    size = _least(found)
    rows = size.reshape(-1, 1, *size.shape[-2:])
    far = rows > FAR
    if int(far.sum()) < FEWEST:
        return ()
    single = far & (rows > ALONE * _most_beside(rows))
    near = functional.max_pool2d(single.to(rows), 2 * REACH + 1, stride=1, padding=REACH)
    count = int(single.sum())
    if count < FEWEST or ((rows > TAIL) & (near == 0)).sum() > count + BY_CHANCE * rows.numel():
        return ()
    return (
        f"{count} single numbers of the measurement are more than {FAR:g} times the noise from "
        "A x, and the others fit: hot or dead pixels, cosmic rays and scratches spoil what is "
        "around them unless they count as not measured, as NaN does",
    )


def _least(found: Iterable[Tensor]) -> Tensor:
    """The least size that the residual of a number has in any sample."""
    return functools.reduce(torch.minimum, (each.abs() for each in found))


def _most_beside(rows: Tensor) -> Tensor:
    """The largest of the eight numbers around each of ``rows``, (n, 1, h, w)."""
    places = itertools.product((-1, 0, 1), repeat=2)
    around = (_moved(rows, down, right) for down, right in places if (down, right) != (0, 0))
    return functools.reduce(torch.maximum, around)


def _moved(rows: Tensor, down: int, right: int) -> Tensor:
    """``rows`` moved by a number down and right, with zeros where none were."""
    padded = functional.pad(rows, (1 + right, 1 - right, 1 + down, 1 - down))
    return padded[..., 1:-1, 1:-1]
