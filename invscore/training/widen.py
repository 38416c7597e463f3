"""A wider network that computes what a narrower one does (in the manner of Chen et al. 2016)."""

from __future__ import annotations

import torch
from torch import Tensor


def widened(narrow: Tensor, wide: Tensor, name: str) -> Tensor:
    """The weight ``narrow`` of a ``UNet`` amid those of ``wide``, of the same ``name``.

    The features that there were come first, and what computes them takes nothing from the new ones.
    These keep the weights that they have in ``wide``. Where such a ``wide`` is not possible,
    ``narrow`` comes back as it is: in the embedding of the noise level, and where it is wider.
    """
    larger = any(n > w for n, w in zip(narrow.shape, wide.shape, strict=True))
    if larger or "embed." in name:
        return narrow
    if ".film." in name:  # scales, then shifts
        halves = zip(narrow.chunk(2), wide.chunk(2), strict=True)
        return torch.cat([_amid(old, new) for old, new in halves])
    if "up." in name and narrow.ndim > 1:  # a transposed convolution: its inputs come first
        return _amid(narrow.transpose(0, 1), wide.transpose(0, 1)).transpose(0, 1)
    return _amid(narrow, wide)


def _amid(narrow: Tensor, wide: Tensor) -> Tensor:
    """Outputs come first in both."""
    result = wide.clone()
    result[: len(narrow)] = 0
    result[tuple(slice(n) for n in narrow.shape)] = narrow
    return result
