"""Conversion between the batches of another library and ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from invscore.operators.base import Shape


@dataclass(frozen=True)
class Part:
    """One array of a batch, (b, \\*theirs), and how many numbers of ours it is.

    ``pairs`` says that its first axis, of length two, holds real and imaginary parts; ours are
    complex then. ``is_complex`` is what ours are.
    """

    theirs: Shape
    pairs: bool = False
    is_complex: bool = False

    @property
    def ours(self) -> Shape:
        """(1, h, w) of (2, h, w) in pairs, (n, h, w) of (2, n, h, w); others are as they are."""
        if not self.pairs:
            return self.theirs
        rest = self.theirs[1:]
        return (1, *rest) if len(rest) < 3 else rest

    def to_ours(self, batch: Tensor) -> Tensor:
        if not self.pairs:
            return batch
        last = batch.movedim(1, -1)  # as where they are from numbers that are complex
        view = last.is_contiguous()
        whole = torch.view_as_complex(last) if view else torch.complex(*batch.unbind(dim=1))
        return whole.reshape(len(batch), *self.ours)

    def to_theirs(self, batch: Tensor) -> Tensor:
        if not self.pairs:
            return batch
        whole = batch.resolve_conj().reshape(len(batch), *self.theirs[1:])
        return torch.view_as_real(whole).movedim(-1, 1)


@dataclass(frozen=True)
class Layout:
    """The arrays that make a batch: a single one, or several that ours hold flattened, in turn.

    ``join`` makes of several arrays what the other library wants.
    """

    parts: tuple[Part, ...]
    join: Callable[[list[Tensor]], Any] | None = None

    @property
    def single(self) -> bool:
        return self.join is None

    @property
    def is_complex(self) -> bool:
        return any(part.is_complex for part in self.parts)

    @property
    def sizes(self) -> list[int]:
        """Number of our numbers in each array."""
        return [math.prod(part.ours) for part in self.parts]

    @property
    def shape(self) -> Shape:
        return self.parts[0].ours if self.single else (sum(self.sizes),)

    def to_ours(self, batch: Any) -> Tensor:
        """A batch of theirs, (b, \\*shape)."""
        if self.single:
            return self.parts[0].to_ours(batch)
        arrays = [
            part.to_ours(array).flatten(1)
            for part, array in zip(self.parts, leaves(batch), strict=True)
        ]
        return torch.cat(arrays, dim=1)

    def to_theirs(self, batch: Tensor) -> Any:
        """A batch of ours as they have it."""
        if self.join is None:
            return self.parts[0].to_theirs(batch)
        arrays = []
        for part, flat in zip(self.parts, torch.split(batch, self.sizes, dim=1), strict=True):
            array = flat if part.is_complex or not flat.is_complex() else flat.real
            arrays.append(part.to_theirs(array.reshape(len(batch), *part.ours)))
        return self.join(arrays)


def leaves(batch: Any) -> list[Tensor]:
    """The tensors of nested sequences, in their order."""
    if isinstance(batch, Tensor):
        return [batch]
    items: Sequence[Any] = batch
    return [leaf for item in items for leaf in leaves(item)]
