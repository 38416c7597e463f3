"""An equivariant denoiser: evaluated at rotated and mirrored images, whose errors average out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.priors.base import Prior
from invscore.rng import SampleRNG

SQUARE = tuple(range(8))
OBLONG = (0, 1, 4, 5)
"""Indices of the symmetries that keep the shape of an oblong image."""
LARGE = 2**12
"""Numbers of an image from which on a processor moves each once, by itself."""


class EquivariantDenoiser:
    """D of a ``symmetric`` prior, evaluated at another of an image's eight symmetries at each call.

    The law of such images is the same under quarter turns and mirroring, and so is the true D; a
    network's is so but for errors, which differ. Evaluated at all symmetries over the levels and
    the samples of a run, they partly cancel (Terris et al. 2024, "Equivariant plug-and-play image
    reconstruction"; they draw the symmetry, here each has its turn), at no further evaluation. The
    first number of a stream's key, ``seed + sample`` in the driver, says which symmetry is the
    first, in any batch. Other priors are evaluated at the images as they are.
    """

    def __init__(self, prior: Prior, rng: SampleRNG) -> None:
        self._prior = prior
        self._first = [key[0] for key in rng.keys]
        self._calls = count()
        self._turns: list[Symmetries] = []

    def __call__(self, x: Tensor, sigma: PerImage) -> Tensor:
        if not self._prior.symmetric:
            return self._prior.denoise(x, sigma)
        allowed = SQUARE if x.shape[-2] == x.shape[-1] else OBLONG
        many = len(allowed)
        if not self._turns:  # told to the device once
            self._turns = [
                Symmetries([allowed[(first + turn) % many] for first in self._first], x.device)
                for turn in range(many)
            ]
        # 3 is coprime to both numbers of symmetries: all of them come.
        symmetries = self._turns[3 * next(self._calls) % many]
        return symmetries.back(self._prior.denoise(symmetries.of(x), sigma))


class Symmetries:
    """Symmetries of a square by their numbers, one an image of a batch, in few operations for all.

    The number ``2 k`` is k quarter turns, ``2 k + 1`` is those and a mirroring of columns. Each is
    a mirroring of rows, one of columns, and an exchange of the two, in this order. On a processor
    large images are turned one by one: a quarter of the time.
    """

    def __init__(self, symmetries: Sequence[int], device: torch.device) -> None:
        self._numbers = list(symmetries)
        parts = zip(*(_parts(symmetry) for symmetry in symmetries), strict=True)
        self._steps = [
            _Step(axes, parted, device)
            for axes, parted in zip(((-2,), (-1,), (-2, -1)), parts, strict=True)
        ]

    def of(self, x: Tensor) -> Tensor:
        """The images (b, \\*, h, w) as seen."""
        if _one_by_one(x):
            return torch.stack([_seen(*each) for each in zip(self._numbers, x, strict=True)])
        for step in self._steps:
            x = step(x)
        return x

    def back(self, x: Tensor) -> Tensor:
        """The images of which those given are seen."""
        if _one_by_one(x):
            return torch.stack([_unseen(*each) for each in zip(self._numbers, x, strict=True)])
        for step in reversed(self._steps):
            x = step(x)
        return x


class _Step:
    """The mirroring of an axis, or the exchange of two, of those images that are ``moved``."""

    def __init__(self, axes: tuple[int, ...], moved: Sequence[bool], device: torch.device) -> None:
        self._axes, self._all, self._any = axes, all(moved), any(moved)
        self._moved = torch.tensor(moved, device=device)

    def __call__(self, x: Tensor) -> Tensor:
        if not self._any:
            return x
        moved = x.flip(self._axes) if len(self._axes) == 1 else x.transpose(*self._axes)
        if not self._all:
            moved = torch.where(self._moved.reshape(-1, *[1] * (x.ndim - 1)), moved, x)
        return moved.contiguous()


def _parts(symmetry: int) -> tuple[bool, bool, bool]:
    """Whether rows are mirrored, columns are, and both then exchanged."""
    quarters, odd = symmetry // 2, symmetry % 2 == 1
    exchanged = quarters % 2 == 1
    rows, columns = quarters in (2, 3), quarters in (1, 2)
    # Columns that are mirrored after an exchange are rows before it.
    return (rows ^ odd, columns, True) if exchanged else (rows, columns ^ odd, False)


def _one_by_one(x: Tensor) -> bool:
    return x.device.type == "cpu" and x[0].numel() >= LARGE


def _seen(symmetry: int, image: Tensor) -> Tensor:
    quarters, odd = divmod(symmetry, 2)
    turned = torch.rot90(image, quarters, (-2, -1)) if quarters else image
    return turned.flip(-1) if odd else turned


def _unseen(symmetry: int, image: Tensor) -> Tensor:
    quarters, odd = divmod(symmetry, 2)
    turned = image.flip(-1) if odd else image
    return torch.rot90(turned, -quarters, (-2, -1)) if quarters else turned
