"""A prior that fits into memory: as it is, or in tiles of the largest size that does."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

from invscore.hardware import memory
from invscore.priors.base import Prior
from invscore.priors.blended import Blended
from invscore.priors.channelwise import Channelwise
from invscore.priors.denoiser import DenoiserPrior
from invscore.priors.grayscale import Grayscale
from invscore.priors.network import NetworkPrior
from invscore.priors.receptive_field import NetworkExtent, measured_extent
from invscore.priors.tiled import Tiled
from invscore.priors.volume import TOGETHER, VolumePrior

SIZES = (2048, 1024, 512, 256, 128)
"""Sides of tiles that are tried, in pixels."""

SHARE = 0.5
"""Share of the free memory that a network may take; images and solvers need the rest."""

HELD = 14
"""Arrays of the size of the images that are held while a network is evaluated."""

DERIVATIVES = 4.0
"""Memory of an evaluation with derivatives, in units of one without."""

HEAVIEST = 1e5
"""Most bytes for each pixel that any network takes: where so much is free, none is measured."""

OVERLAP = 4
"""Tiles that are blended overlap by their side divided by this."""


def fit_into_memory(
    prior: Prior,
    shape: tuple[int, ...],
    free: float,
    *,
    images: int = 1,
    derivatives: bool = False,
    strict: bool = False,
    on_tile: Callable[[float], None] = lambda share: None,
) -> Prior:
    """``prior`` as it is where ``images`` of ``shape`` fit into ``free`` bytes, else in tiles.

    The largest tiles that fit, of ``SIZES``; the smallest where none do. ``derivatives``: whether
    they are asked for. A network without a ``footprint`` is looked at, and its tiles are blended
    where it sees everything; one of a single size has tiles of its own, and other priors stay as
    they are, as do images that are not (c, h, w). ``on_tile`` as for ``Tiled``. ``strict``: raise
    ``ValueError`` where not even the smallest tile fits.
    """

    def inside(inner: Prior, shape: tuple[int, ...], images: int) -> Prior:
        more = {"derivatives": derivatives, "strict": strict}
        return fit_into_memory(inner, shape, free, images=images, on_tile=on_tile, **more)

    if isinstance(prior, (Channelwise, Grayscale)):
        count = images * (shape[0] if isinstance(prior, Channelwise) else 1)
        inner = inside(prior.prior, shape, count)
        if inner is prior.prior:
            return prior
        tiled = copy.copy(prior)
        tiled.prior = inner
        return tiled
    if isinstance(prior, VolumePrior) and len(shape) == 4:
        return _fitted_volume(prior, shape, images, inside)
    if len(shape) != 3:
        return prior
    times = images * (DERIVATIVES if derivatives else 1.0)
    pixels = shape[1] * shape[2]
    known = _extent(prior, HEAVIEST * times * pixels > free)
    if known is None or times * known.bytes_per_pixel * pixels <= free:
        return prior
    each, footprint = times * known.bytes_per_pixel, known.footprint
    if footprint is None:
        size = _up(_largest(SIZES, each, 0, free, strict=strict), known.stride)
        overlap = min(size // OVERLAP, size - known.stride)
        return Blended(prior, size, overlap, known.stride, on_tile=on_tile)
    margin = _up(footprint.reach, footprint.stride)
    sizes = [_up(size, footprint.stride) for size in SIZES]
    size = _largest(sizes, each, margin, free, strict=strict)
    return Tiled(prior, size, margin, on_tile=on_tile)


def _largest(sizes: Sequence[int], each: float, margin: int, free: float, *, strict: bool) -> int:
    """The first of ``sizes`` whose tile fits, at ``each`` bytes a pixel, or else the last."""
    for size in sizes:
        if each * (size + 2 * margin) ** 2 <= free:
            return size
    least = memory.in_words(each * (sizes[-1] + 2 * margin) ** 2)
    if strict:
        raise ValueError(
            f"`most_memory` (--memory) must leave {least} for the network's smallest tile beside "
            f"the images, got {memory.in_words(free)}"
        )
    return sizes[-1]


def _extent(prior: Prior, may_be_large: bool) -> NetworkExtent | None:
    """Memory of a network as far as known; where it ``may_be_large``, it is measured."""
    if prior.footprint is not None:
        return NetworkExtent(
            prior.footprint.bytes_per_pixel, prior.footprint.stride, prior.footprint
        )
    if not may_be_large or not isinstance(prior, NetworkPrior | DenoiserPrior):
        return None
    if not isinstance(prior, DenoiserPrior):
        return measured_extent(prior)
    if prior.sizes.size is not None:
        return None
    try:
        return measured_extent(prior, prior.sizes.multiple)
    except Exception:  # anybody's function, which may take images of one size alone
        return None


def _fitted_volume(
    prior: VolumePrior,
    shape: tuple[int, ...],
    images: int,
    inside: Callable[[Prior, tuple[int, ...], int], Prior],
) -> Prior:
    """Slices, as many at once as the prior takes, and these in tiles where they do not fit."""
    channels, *lengths = shape
    largest = sorted(lengths)[1:]
    plane = (channels, *largest)
    at_once = prior.together or max(1, TOGETHER // (images * math.prod(plane)))
    inner = inside(prior.prior, plane, images * at_once)
    return prior if inner is prior.prior else VolumePrior(inner, prior.planes, prior.together)


def room(most: float | None = None, images: float = 0) -> float:
    """The bytes that a network may take where the process may have ``most``: all that are free.

    Beside ``images`` of so many bytes. Raises ``ValueError`` where ``most`` does not even hold
    what a method has of these.
    """
    free: float = memory.available()
    if most is None:
        return SHARE * free
    least = memory.PROCESS + HELD * images
    if most < least:
        raise ValueError(
            f"`most_memory` (--memory) must be at least {memory.in_words(least)}, of which images "
            f"of this size take {memory.in_words(least - memory.PROCESS)} while they are restored, "
            f"got {memory.in_words(most)}"
        )
    return max(0.0, min(free, most - memory.PROCESS) - HELD * images)


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
