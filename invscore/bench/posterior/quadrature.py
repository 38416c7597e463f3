"""Densities on the plane, known on a fine grid: expectations and samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from invscore.rng import SampleRNG


@dataclass(frozen=True)
class Quadrature:
    """The masses of square cells, (n,), with their centres, (n, 2), and their ``width``."""

    points: Tensor
    masses: Tensor
    width: float

    @classmethod
    def of(cls, log_density: Callable[[Tensor], Tensor], reach: float, cells: int) -> Quadrature:
        """Midpoint rule on the square [-reach, reach]^2, ``cells`` a side, in float64.

        ``log_density``: (n, 2) -> (n,), up to a constant; negligible outside of the square and
        smooth on the scale of a cell.
        """
        width = 2 * reach / cells
        axis = (torch.arange(cells, dtype=torch.float64) + 0.5) * width - reach
        points = torch.cartesian_prod(axis, axis)
        return cls(points, log_density(points).softmax(dim=0), width)

    def expectation(self, values: Tensor) -> Tensor:
        """The mean of a function with ``values`` (n, k) at the points: (k,)."""
        return self.masses @ values

    def sample(self, n: int, rng: SampleRNG) -> Tensor:
        """``n`` points, (n, 2): cells by their mass, uniform within a cell."""
        like = self.points[:1].expand(n, 2)
        edges = self.masses.cumsum(dim=0)
        chosen = torch.searchsorted(edges, rng.uniform(like) * edges[-1], right=True)
        within = torch.stack([rng.uniform(like), rng.uniform(like)], dim=1) - 0.5
        return self.points[chosen.clamp_max(len(edges) - 1)] + self.width * within
