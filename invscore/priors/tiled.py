"""Large images in bounded memory: the denoiser is evaluated tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.priors.base import Prior
from invscore.priors.noise_covariance import NoiseCovariance


class Tiled(Prior):
    """``prior`` for images (b, c, h, w), evaluated on tiles of ``size`` x ``size`` pixels.

    Each tile is seen with a ``margin`` around it, which is cut off afterwards. Where the margin is
    at least the reach of the network and a multiple of its stride, as is ``size``, the result is
    that of the whole image; a smaller one leaves seams. ``pullback`` evaluates each tile once more
    and keeps no more than one tile's derivatives. Of noise that differs between pixels each tile is
    told its own part, which is all that a network is told of the level of the others. ``on_tile``
    is told the share of an evaluation that is done, after each tile.

    Raises ``ValueError`` for a size that is not positive and a margin that is negative.
    """

    def __init__(
        self,
        prior: Prior,
        size: int,
        margin: int,
        *,
        on_tile: Callable[[float], None] = lambda share: None,
    ) -> None:
        if size < 1 or margin < 0:
            raise ValueError(
                f"`size` must be at least 1 and `margin` at least 0 pixels, got {size} and {margin}"
            )
        self.prior, self.size, self.margin, self.on_tile = prior, size, margin, on_tile
        self._take_after(prior)
        self.has_density = False
        self.channels, self.complex, self.metadata = prior.channels, prior.complex, prior.metadata
        self.noise_kinds = prior.noise_kinds & {"pixels"}

    def denoise(self, x: Tensor, sigma: PerImage) -> Tensor:
        return self._whole(x, lambda window: self.prior.denoise(x[window], sigma))

    def denoise_with(self, x: Tensor, noise: NoiseCovariance) -> Tensor:
        if noise.basis.kind not in self.noise_kinds:
            return super().denoise_with(x, noise)
        variances = noise.variances.expand(x.shape)

        def denoised(window: tuple[slice, ...]) -> Tensor:
            return self.prior.denoise_with(x[window], replace(noise, variances=variances[window]))

        return self._whole(x, denoised)

    def _whole(self, x: Tensor, tile: Callable[[tuple[slice, ...]], Tensor]) -> Tensor:
        """``tile(window)`` of every window of ``x``, put together."""
        whole = torch.zeros_like(x, memory_format=torch.contiguous_format)
        for window, core, inner in self._tiles(x):
            whole[core] = tile(window)[inner]
        return whole

    def pullback(self, x: Tensor, sigma: PerImage) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        with torch.no_grad():
            denoised = self.denoise(x, sigma)

        def pull(u: Tensor) -> Tensor:
            total = torch.zeros_like(u)
            for window, part in self._parts(u):
                total[window] += self.prior.pullback(x[window], sigma)[1](part)
            return total

        return denoised, pull

    def _parts(self, u: Tensor) -> Iterator[tuple[tuple[slice, ...], Tensor]]:
        """Windows, and what of ``u`` each answers for: the transpose of ``_whole``."""
        for window, core, inner in self._tiles(u):
            part = torch.zeros_like(u[window])
            part[inner] = u[core]
            yield window, part

    def _tiles(self, x: Tensor) -> Iterator[tuple[tuple[slice, ...], ...]]:
        """Tiles: what is looked at, where its result belongs, and what of it is kept."""
        down, across = (list(_pieces(n, self.size, self.margin)) for n in x.shape[-2:])
        for number, (rows, columns) in enumerate(product(down, across), start=1):
            window, core, inner = (
                (slice(None), slice(None), row, column)
                for row, column in zip(rows, columns, strict=True)
            )
            yield window, core, inner
            self.on_tile(number / (len(down) * len(across)))


def _pieces(length: int, size: int, margin: int) -> Iterator[tuple[slice, slice, slice]]:
    """Pieces of an axis: the window, the core in the image, and the core in the window."""
    for start in range(0, length, size):
        end = min(start + size, length)
        first, last = max(0, start - margin), min(length, end + margin)
        yield slice(first, last), slice(start, end), slice(start - first, end - first)
