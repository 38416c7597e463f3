"""Sampling masks of Cartesian MRI: boolean, (width,), true where a line of k-space is measured.

Each mask has ``round(width / acceleration)`` lines, among them ``round(center_fraction * width)``
adjacent ones around the centre, ``width // 2``.
"""

from __future__ import annotations

import torch
from torch import Tensor


def random_lines(
    width: int, acceleration: float = 4.0, center_fraction: float = 0.08, seed: int = 0
) -> Tensor:
    """The lines outside the centre are uniformly random."""
    return _drawn(torch.ones(width, dtype=torch.float64), acceleration, center_fraction, seed)


def gaussian_lines(
    width: int, acceleration: float = 4.0, center_fraction: float = 0.08, seed: int = 0
) -> Tensor:
    """The lines outside the centre are random, of Gaussian density around it.

    The standard deviation is 15/128 of the width (Chung & Ye 2022, score-MRI).
    """
    distance = torch.arange(width, dtype=torch.float64) - width // 2
    density = torch.exp(-0.5 * (distance / (15 / 128 * width)) ** 2)
    return _drawn(density, acceleration, center_fraction, seed)


def equispaced_lines(
    width: int, acceleration: float = 4.0, center_fraction: float = 0.08, seed: int = 0
) -> Tensor:
    """The lines outside the centre are as evenly spaced as can be, from a random start."""
    mask, missing = _centre(width, acceleration, center_fraction)
    outside = torch.nonzero(~mask)[:, 0]
    start = torch.rand((), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    steps = (torch.arange(missing) + start) * len(outside) / max(missing, 1)
    mask[outside[steps.long()]] = True
    return mask


def _drawn(density: Tensor, acceleration: float, center_fraction: float, seed: int) -> Tensor:
    mask, missing = _centre(len(density), acceleration, center_fraction)
    if missing:
        outside = torch.where(mask, 0.0, density)
        generator = torch.Generator().manual_seed(seed)
        mask[torch.multinomial(outside, missing, generator=generator)] = True
    return mask


def _centre(width: int, acceleration: float, center_fraction: float) -> tuple[Tensor, int]:
    """The mask of the centre alone, and the number of lines that it lacks."""
    if not 1 <= acceleration <= width:
        raise ValueError(
            f"`acceleration` must lie between 1 and the width {width}, got {acceleration}"
        )
    lines, centre = round(width / acceleration), round(center_fraction * width)
    if not 0 <= centre <= lines:
        raise ValueError(
            "`center_fraction` must lie between 0 and 1 / acceleration, here "
            f"{1 / acceleration:.3g}, got {center_fraction}"
        )
    mask = torch.zeros(width, dtype=torch.bool)
    first = width // 2 - centre // 2
    mask[first : first + centre] = True
    return mask, lines - centre
