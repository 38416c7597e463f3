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
class Rest:
    """Directions, but for some, in which a matrix is known by its mean alone.

    They are those of the orthonormal ``outer`` (b, r, n), None for all, and not of ``inner``, a
    part of them. ``low`` (b, 1): the mean of what a matrix of low rank is there; ``high``: of what
    it should be, no less.
    """

    outer: Tensor | None
    inner: Tensor
    low: Tensor
    high: Tensor

    def apply(self, f: Spectrum, each: Tensor) -> Tensor:
        """What ``f(J) v`` lacks, of ``each`` v, (b, p, n)."""
        whole = each if self.outer is None else (each @ self.outer.mT) @ self.outer
        within = whole - (each @ self.inner.mT) @ self.inner
        return (f(self.high) - f(self.low))[..., None] * within

    def between(self, f: Spectrum, rows: Tensor, gram: Tensor) -> Tensor:
        """What ``rows f(J) rows^T`` lacks, (b, m, m): the rows are in ``outer``, or in ``inner``
        where that is None."""
        if self.outer is None:
            return torch.zeros_like(gram)
        inner = rows @ self.inner.mT
        return (f(self.high) - f(self.low))[..., None] * (gram - inner @ inner.mT)


@dataclass(frozen=True)
class LowRank:
    """``J = lowest I + directions^T diag(excess) directions``, symmetric, one a particle.

    ``lowest`` (b, 1), ``excess`` (b, k), neither negative; ``directions`` (b, k, n), orthonormal
    where their excess is not 0. ``rest``: what is known beside.
    """

    lowest: Tensor
    excess: Tensor
    directions: Tensor
    rest: tuple[Rest, ...] = ()

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
        """``f(J) v``, (b p, n), of p vectors for each matrix, side by side."""
        each = v.reshape(len(self.lowest), -1, v.shape[1])
        extra = self._extra(f)[:, None] * (each @ self.directions.mT)
        found = f(self.lowest)[:, None] * each + extra @ self.directions
        for part in self.rest:
            found = found + part.apply(f, each)
        return found.reshape(v.shape)

    def between(self, f: Spectrum, rows: Tensor, gram: Tensor | None = None) -> Tensor:
        """``rows f(J) rows^T``, (b, m, m), of ``rows`` (b, m, n); ``gram`` is ``rows rows^T``."""
        seen = rows @ self.directions.mT
        gram = rows @ rows.mT if gram is None else gram
        found = f(self.lowest)[..., None] * gram + (seen * self._extra(f)[:, None]) @ seen.mT
        for part in self.rest:
            found = found + part.between(f, rows, gram)
        return found

    def largest(self, f: Spectrum) -> Tensor:
        """The largest eigenvalue of ``f(J)``, f rising: (b,)."""
        return f(self.lowest + self.excess).amax(dim=1)

    def select(self, kept: Tensor) -> LowRank:
        """The matrices with the indices ``kept``, of which nothing is known beside."""
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
