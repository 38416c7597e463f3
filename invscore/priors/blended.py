"""Large images in bounded memory where a network sees farther than is known: tiles are blended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import torch
from torch import Tensor

from invscore.priors.base import Prior
from invscore.priors.sizes import ramp
from invscore.priors.tiled import Tiled


class Blended(Tiled):
    """``prior`` for images (b, c, h, w), evaluated on tiles of ``size`` pixels a side that overlap.

    By at least ``overlap`` pixels, over which the weight of a tile falls to 0: seams are smooth,
    but what a tile does not show is unknown to it. An approximation, for networks that see
    the whole image, by attention or by statistics, or of which it is not known how far they see.
    Tiles begin at multiples of ``stride``, as networks are the same after shifts by some pixels
    alone.

    Raises ``ValueError`` for an overlap that leaves no ``stride`` of a tile.
    """

    def __init__(
        self,
        prior: Prior,
        size: int,
        overlap: int,
        stride: int = 1,
        *,
        on_tile: Callable[[float], None] = lambda share: None,
    ) -> None:
        super().__init__(prior, size, 0, on_tile=on_tile)
        if not 0 <= overlap <= size - stride:
            raise ValueError(f"`overlap` must lie in [0, {size - stride}], got {overlap}")
        self.overlap, self.step = overlap, (size - overlap) // stride * stride

    def _whole(self, x: Tensor, tile: Callable[[tuple[slice, ...]], Tensor]) -> Tensor:
        whole = torch.zeros_like(x, memory_format=torch.contiguous_format)
        for window, weight in self._weighted(x):
            whole[window] += weight * tile(window)
        return whole

    def _parts(self, u: Tensor) -> Iterator[tuple[tuple[slice, ...], Tensor]]:
        for window, weight in self._weighted(u):
            yield window, weight * u[window]

    def _weighted(self, x: Tensor) -> Iterator[tuple[tuple[slice, ...], Tensor]]:
        """Windows and their weights, (h, w), which sum to 1 at every pixel."""
        rows, columns = (self._pieces(length, x) for length in x.shape[-2:])
        for number, (down, across) in enumerate(product(rows, columns), start=1):
            (row, of_row), (column, of_column) = down, across
            yield (slice(None), slice(None), row, column), of_row[:, None] * of_column
            self.on_tile(number / (len(rows) * len(columns)))

    def _pieces(self, length: int, like: Tensor) -> list[tuple[slice, Tensor]]:
        """Windows of tiles along an axis, and their weights, which sum to 1."""
        firsts = range(0, max(1, length - (self.size - self.step)), self.step)
        pieces = [slice(first, min(first + self.size, length)) for first in firsts]
        edges = [ramp(piece.stop - piece.start, self.overlap, like.real) for piece in pieces]
        total = torch.zeros(length, dtype=like.real.dtype, device=like.device)
        for piece, edge in zip(pieces, edges, strict=True):
            total[piece] += edge
        return [(piece, edge / total[piece]) for piece, edge in zip(pieces, edges, strict=True)]
