"""Symmetric matrices that are isotropic but for a few directions, from products with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

Spectrum = Callable[[Tensor], Tensor]
"""A function of the eigenvalues of a matrix, and so of the matrix."""

NEGLIGIBLE = 1e-6
"""Share of the largest eigenvalue below which others are taken for rounding errors."""


@dataclass(frozen=True)
class LowRank:
    """``J = lowest I + directions^T diag(excess) directions``, symmetric, one a particle.

    ``lowest`` (b, 1), ``excess`` (b, k), neither negative; ``directions`` (b, k, n), orthonormal
    where their excess is not 0.
    """

    lowest: Tensor
    excess: Tensor
    directions: Tensor

    @classmethod
    def of(cls, products: Tensor, basis: Tensor) -> Self:
        """From the products J u, (b, k, n), with the orthonormal rows u of ``basis``, (b, k, n).

        ``lowest`` is the least Rayleigh-Ritz value on the basis, and the rest Nystrom's
        approximation of J less that (Williams & Seeger 2001): symmetric, it agrees with all the
        products where J is, and is J itself if k - 1 directions have an excess at most.
        """
        ritz, turn = torch.linalg.eigh(_symmetric(products @ basis.mT))
        ritz = torch.maximum(ritz, NEGLIGIBLE * ritz[:, -1:].clamp_min(NEGLIGIBLE))
        lowest = ritz[:, :1]
        excess = products - lowest[..., None] * basis
        roots = _inverse_root(ritz - lowest, ritz[:, -1:])
        factor = roots[..., None] * (turn.mT @ excess)
        squares, rotation = torch.linalg.eigh(factor @ factor.mT)
        inverse = _inverse_root(squares, ritz[:, -1:])
        return cls(lowest, squares * (inverse > 0), inverse[..., None] * (rotation.mT @ factor))

    def apply(self, f: Spectrum, v: Tensor) -> Tensor:
        """``f(J) v``, (b, n)."""
        extra = self._extra(f) * torch.einsum("bkn,bn->bk", self.directions, v)
        return f(self.lowest) * v + torch.einsum("bkn,bk->bn", self.directions, extra)

    def between(self, f: Spectrum, rows: Tensor) -> Tensor:
        """``rows f(J) rows^T``, (b, m, m), of ``rows`` (b, m, n)."""
        seen = rows @ self.directions.mT
        return f(self.lowest)[..., None] * (rows @ rows.mT) + (seen * self._extra(f)[:, None]) @ (
            seen.mT
        )

    def largest(self, f: Spectrum) -> Tensor:
        """The largest eigenvalue of ``f(J)``, f rising: (b,)."""
        return f(self.lowest + self.excess).amax(dim=1)

    def select(self, kept: Tensor) -> LowRank:
        """The matrices with the indices ``kept``."""
        return LowRank(self.lowest[kept], self.excess[kept], self.directions[kept])

    @staticmethod
    def join(parts: Sequence[LowRank]) -> LowRank:
        """The matrices of all ``parts``."""
        return LowRank(
            torch.cat([part.lowest for part in parts]),
            torch.cat([part.excess for part in parts]),
            torch.cat([part.directions for part in parts]),
        )

    def _extra(self, f: Spectrum) -> Tensor:
        return f(self.lowest + self.excess) - f(self.lowest)


def _symmetric(matrix: Tensor) -> Tensor:
    return 0.5 * (matrix + matrix.mT)


def _inverse_root(values: Tensor, scale: Tensor) -> Tensor:
    """``1 / sqrt(value)``, and 0 of those that are negligible beside ``scale``."""
    least = NEGLIGIBLE * scale
    return torch.where(values > least, torch.maximum(values, least).rsqrt(), 0.0)
