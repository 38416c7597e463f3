"""Large images in bounded memory: the denoiser is evaluated tile by tile."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from invscore import memory
from invscore.batches import PerImage
from invscore.priors.base import Prior
from invscore.priors.channelwise import Channelwise
from invscore.priors.grayscale import Grayscale
from invscore.priors.noise_covariance import NoiseCovariance
from invscore.priors.volume import TOGETHER, VolumePrior

SIZES = (2048, 1024, 512, 256, 128)
"""Sides of tiles that are tried, in pixels."""

SHARE = 0.5
"""Of what is free that a network may take: images, their noise and solvers need the rest."""

HELD = 14
"""Arrays as large as the images that are held while a network is evaluated."""

DERIVATIVES = 4.0
"""Times the memory of an evaluation that one with derivatives takes."""


class Tiled(Prior):
    """``prior`` for images (b, c, h, w), evaluated on tiles of ``size`` x ``size`` pixels.

    Each tile is seen with a ``margin`` around it, which is cut off afterwards. Where the margin is
    at least the reach of the network and a multiple of its stride, as is ``size``, the result is
    that of the whole image; a smaller one leaves seams. ``pullback`` evaluates each tile once more
    and keeps no more than one tile's derivatives. Of noise that differs between pixels each tile is
    told its own part, which is all that a network is told of the level of the others.

    Raises ``ValueError`` for a size that is not positive and a margin that is negative.
    """

    def __init__(self, prior: Prior, size: int, margin: int) -> None:
        if size < 1 or margin < 0:
            raise ValueError(
                f"`size` must be at least 1 and `margin` at least 0 pixels, got {size} and {margin}"
            )
        self.prior, self.size, self.margin = prior, size, margin
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
            for window, core, inner in self._tiles(x):
                here = torch.zeros_like(u[window])
                here[inner] = u[core]
                total[window] += self.prior.pullback(x[window], sigma)[1](here)
            return total

        return denoised, pull

    def _tiles(self, x: Tensor) -> Iterator[tuple[tuple[slice, ...], ...]]:
        """Of each tile what is looked at, where its result belongs, and what of it is kept."""
        height, width = x.shape[-2:]
        for rows in _pieces(height, self.size, self.margin):
            for columns in _pieces(width, self.size, self.margin):
                window, core, inner = (
                    (slice(None), slice(None), row, column)
                    for row, column in zip(rows, columns, strict=True)
                )
                yield window, core, inner


def fitted(
    prior: Prior, shape: tuple[int, ...], free: float, *, images: int = 1, derivatives: bool = False
) -> Prior:
    """``prior`` as it is where ``images`` of ``shape`` fit into ``free`` bytes, else in tiles.

    The largest tiles that fit, of ``SIZES``; the smallest where none do. ``derivatives``: whether
    they are asked for. A prior without a ``footprint`` stays as it is, as do images that are not
    (c, h, w).
    """
    if isinstance(prior, (Channelwise, Grayscale)):
        count = images * (shape[0] if isinstance(prior, Channelwise) else 1)
        inner = fitted(prior.prior, shape, free, images=count, derivatives=derivatives)
        if inner is prior.prior:
            return prior
        tiled = copy.copy(prior)
        tiled.prior = inner
        return tiled
    if isinstance(prior, VolumePrior) and len(shape) == 4:
        return _fitted_volume(prior, shape, free, images=images, derivatives=derivatives)
    known = prior.footprint
    if known is None or len(shape) != 3:
        return prior
    each = images * known.bytes_per_pixel * (DERIVATIVES if derivatives else 1.0)
    if each * shape[1] * shape[2] <= free:
        return prior
    margin = _up(known.reach, known.stride)
    sizes = [_up(size, known.stride) for size in SIZES]
    fits = [size for size in sizes if each * (size + 2 * margin) ** 2 <= free]
    return Tiled(prior, (fits or sizes[-1:])[0], margin)


def _fitted_volume(
    prior: VolumePrior, shape: tuple[int, ...], free: float, *, images: int, derivatives: bool
) -> Prior:
    """Slices, as many at once as the prior takes, and these in tiles where they do not fit."""
    channels, *lengths = shape
    largest = sorted(lengths)[1:]
    plane = (channels, *largest)
    at_once = prior.together or max(1, TOGETHER // (images * math.prod(plane)))
    count = images * at_once
    inner = fitted(prior.prior, plane, free, images=count, derivatives=derivatives)
    return prior if inner is prior.prior else VolumePrior(inner, prior.planes, prior.together)


def room(most: float | None = None, images: float = 0) -> float:
    """The bytes that a network may take where the process may have ``most``: all that are free.

    Beside ``images`` of so many bytes.
    """
    free: float = memory.available()
    if most is None:
        return SHARE * free
    return max(0.0, min(free, most - memory.PROCESS) - HELD * images)


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _pieces(length: int, size: int, margin: int) -> Iterator[tuple[slice, slice, slice]]:
    """Of each piece of an axis: the window, the core in the image, and the core in the window."""
    for start in range(0, length, size):
        end = min(start + size, length)
        first, last = max(0, start - margin), min(length, end + margin)
        yield slice(first, last), slice(start, end), slice(start - first, end - first)
