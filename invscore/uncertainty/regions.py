"""Whether a noise map holds everywhere: the residuals of samples, by regions of the measurement.

In units of a map that is right, residuals of posterior samples have the mean square 1 in every
region. Where the map is off in one, or is that of another measurement, they are larger or smaller
there than elsewhere; a map that is off by one factor everywhere is a matter of their size.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.operators.base import Composition
from invscore.operators.weighting import Weighting

ACROSS, SMALLEST = 8, 8
"""Regions along a side, and the least side of a region in pixels."""

RATIO = 2.0
"""Largest ratio of the mean square in a region to that in the median one, or its inverse, without a
warning."""

CHANCE = 1e-5
"""Probability of such a region among all, below which there is a warning."""


def has_noise_map(problem: InverseProblem) -> bool:
    """Whether numbers are weighted, so that their noise is 1 in no unit of the measurement."""
    operator = problem.operator
    return isinstance(operator, Composition) and isinstance(operator.outer, Weighting)


@torch.no_grad()
def region_warnings(problem: InverseProblem, found: Iterable[Tensor]) -> tuple[str, ...]:
    """A sentence where the residuals of samples show that a noise map is off in regions.

    ``found``: (b, \\*out_shape) each, in units of the map (``residuals``). Of measurements
    (\\*, h, w) in space; the region that is farthest off is named.
    """
    y = problem.y
    if not has_noise_map(problem) or y.ndim < 3 or y.is_complex():
        return ()
    if problem.operator.view == "spectrum":
        return ()
    height, width = y.shape[-2:]
    rows, columns = (min(ACROSS, n // SMALLEST) for n in (height, width))
    if rows * columns < 4:
        return ()
    energy = torch.stack([each**2 for each in found]).mean(dim=0)
    energy = energy.reshape(len(energy), -1, height, width)
    seen = torch.ones_like(energy[:1])
    if problem.operator.measured is not None:
        seen = problem.operator.measured.to(energy).expand(energy[:1].shape)
    total, count = (_sums(each, rows, columns) for each in (energy * seen, seen))
    enough = count >= SMALLEST**2 / 2
    if int(enough.sum()) < 4:
        return ()
    power = torch.where(enough, total / count.clamp_min(1), torch.nan).cpu().double()
    off = power / power.flatten(1).nanmedian(dim=1).values[:, None, None]
    half = count.cpu().double().expand(off.shape) / 2
    above = torch.special.gammaincc(half, half * off)
    below = torch.special.gammainc(half, half * off)
    chance = torch.where(off > 1, above, below) * rows * columns
    differ = ((off > RATIO) | (off < 1 / RATIO)) & (chance < CHANCE)
    if not bool(differ.any()):
        return ()
    worst = int(torch.where(differ, off.log().abs(), 0).argmax())
    row, column = divmod(worst % (rows * columns), columns)
    top, bottom = (height * k // rows for k in (row, row + 1))
    left, right = (width * k // columns for k in (column, column + 1))
    factor = float(power.flatten()[worst]) ** 0.5
    share = int(differ.any(dim=0).sum()) / int(enough.sum())
    return (
        f"the residual y - A x is {factor:.2g} times what the noise map says in rows {top} to "
        f"{bottom} and columns {left} to {right}, and differs from region to region on "
        f"{share:.0%} of the measurement: the map is off there, or is another measurement's",
    )


def _sums(values: Tensor, rows: int, columns: int) -> Tensor:
    """Sums in each of rows x columns regions: (b, rows, columns)."""
    height, width = values.shape[-2:]
    parts = (
        torch.nn.functional.one_hot(torch.arange(n, device=values.device) * k // n, k).to(values)
        for n, k in ((height, rows), (width, columns))
    )
    down, across = parts
    return torch.einsum("bchw,hr,wk->brk", values, down, across)
