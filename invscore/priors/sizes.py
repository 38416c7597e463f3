"""Images of sizes that a network does not take: padded and cropped, or covered with tiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from invscore.networks.mirrored import mirrored


@dataclass(frozen=True)
class Sizes:
    """Sizes (h, w) of images that a network takes, and how others are brought to one of them.

    ``multiple``: heights and widths that are multiples of it; others are padded by reflection at
    the bottom and on the right, and cropped afterwards. ``size``: the only height and width, if
    there is one. ``overlap``: with a ``size``, images of another are covered with tiles of that
    size which overlap by at least so many pixels and are blended there; ``None`` refuses them.

    Raises ``ValueError`` for numbers that make no sense.
    """

    multiple: int = 1
    size: tuple[int, int] | None = None
    overlap: int | None = None

    def __post_init__(self) -> None:
        if self.multiple < 1:
            raise ValueError(f"`multiple` must be a whole number from 1, got {self.multiple}")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"`size` must be positive, got {self.size}")
        if self.overlap is not None:
            if self.size is None:
                raise ValueError(f"`overlap` goes with a `size`, got {self.overlap} without one")
            if not 0 <= self.overlap < min(self.size):
                raise ValueError(
                    f"`overlap` must lie in [0, {min(self.size) - 1}], below the size of a tile, "
                    f"got {self.overlap}"
                )

    def __str__(self) -> str:
        if self.size is None:
            return "any" if self.multiple == 1 else f"any, padded to multiples of {self.multiple}"
        size = " x ".join(map(str, self.size))
        return f"{size} alone" if self.overlap is None else f"tiles of {size}"

    def apply(self, function: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
        """``function`` of the images ``z``, (b, c, h, w), whatever their size.

        Raises ``ValueError`` for a size that is refused.
        """
        given = (z.shape[-2], z.shape[-1])
        if self.size is None:
            wanted = tuple(-(-n // self.multiple) * self.multiple for n in given)
            if wanted == given:
                return function(z)
            return function(mirrored(z, wanted))[..., : given[0], : given[1]]
        if given == self.size:
            return function(z)
        if self.overlap is None:
            raise ValueError(
                f"the prior takes images of {self.size[0]} x {self.size[1]}, got "
                f"{given[0]} x {given[1]}: `overlap=32` would cover others with overlapping tiles"
            )
        return self._tiled(function, z)

    def _tiled(self, function: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
        assert self.size is not None
        assert self.overlap is not None
        height, width = z.shape[-2:]
        padded = mirrored(z, tuple(max(a, b) for a, b in zip(z.shape[-2:], self.size, strict=True)))
        rows = _starts(padded.shape[-2], self.size[0], self.overlap)
        columns = _starts(padded.shape[-1], self.size[1], self.overlap)
        weight = ramp(self.size[0], self.overlap, z)[:, None] * ramp(self.size[1], self.overlap, z)
        total, weights = torch.zeros_like(padded), torch.zeros_like(padded[:1, :1])
        for top in rows:
            for left in columns:
                place = (..., slice(top, top + self.size[0]), slice(left, left + self.size[1]))
                if torch.is_grad_enabled():
                    total = total.clone()  # autograd keeps what it was
                total[place] += weight * function(padded[place])
                weights[place] += weight
        return (total / weights)[..., :height, :width]


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    """Starts of tiles: as few as cover ``length``, evenly spaced."""
    count = 1 + math.ceil((length - tile) / (tile - overlap))
    if count == 1:
        return [0]
    return [round(k * (length - tile) / (count - 1)) for k in range(count)]


def ramp(tile: int, overlap: int, like: Tensor) -> Tensor:
    """Weights of a tile along one axis: 1 inside, falling linearly over the overlap."""
    place = torch.arange(tile, device=like.device, dtype=like.dtype)
    edge = torch.minimum(place, tile - 1 - place) + 1
    return (edge / (overlap + 1)).clamp(max=1)
