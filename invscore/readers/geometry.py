"""Pixels and values of a result in the coordinates of the file that it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from invscore.readers.base import Array, Recording


@dataclass(frozen=True)
class Change:
    """Along one axis: how many times finer pixels are, and where they begin, in old ones."""

    finer: float = 1.0
    start: float = 0.0

    @property
    def first(self) -> float:
        """Centre of the first new pixel, in old pixels from the centre of theirs."""
        return self.start + 0.5 / self.finer - 0.5


def change(shape: Sequence[int], like: Recording) -> dict[str, Change]:
    """What became of rows (h) and columns (w), and of a stack of which one image is left.

    A result that is ``finer`` than the image in ``like``, or coarser, covers the same field. Any
    other size is a margin around its centre, or a window in it.
    """
    sizes = {letter: like.values.shape[like.axes.index(letter)] for letter in "hw"}
    ratios = {letter: new / sizes[letter] for letter, new in zip("hw", shape[-2:], strict=True)}
    down, across = ratios["h"], ratios["w"]
    same_field = finer(down, across) or finer(1 / down, 1 / across)
    stack = {letter: Change(start=float(k)) for letter, k in like.place.items()}
    if same_field:
        return stack | {letter: Change(ratio) for letter, ratio in ratios.items()}
    new = dict(zip("hw", shape[-2:], strict=True))
    return stack | {letter: Change(start=(sizes[letter] - new[letter]) / 2) for letter in "hw"}


def finer(down: float, across: float) -> bool:
    """Whether so many times the rows and columns are those of the same field with finer pixels.

    The same multiple of both, or a whole one of one of them (slices that were thick).
    """
    if down == across:
        return down >= 2
    return min(down, across) == 1 and max(down, across) % 1 == 0


def as_in_file(values: Array, like: Recording) -> Array:
    """``values``, (c, h, w), with the axes that the file has, of length one along a stack.

    Volumes are (c, d, h, w), d being the axis ``like.depth``. Where the file has no axis of
    channels, several of them come first.
    """
    letters = like.origin
    order = f"c{like.depth}hw"
    if "c" not in letters and len(values) == 1:
        order, values = order[1:], values[0]
    known = [letter for letter in letters if letter in order]
    extra = [letter for letter in order if letter not in letters]
    data = np.transpose(values, [order.index(letter) for letter in (*extra, *known)])
    shape = iter(data.shape[len(extra) :])
    return data.reshape(
        *data.shape[: len(extra)], *(next(shape) if a in known else 1 for a in letters)
    )
