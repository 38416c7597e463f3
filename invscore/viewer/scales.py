"""Scales of pictures: which value is white, and which is the brightest colour of a map."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import median

import torch
from torch import Tensor

from invscore.viewer.entry import Entry

EXTREME = 0.99
"""Quantile of a map at which its colours end: a few extreme pixels must not darken the rest."""


def white(entry: Entry) -> float:
    """1, or in units of their own the brightest value of the truth, else of the reconstruction."""
    for name in ("truth", "reconstruction"):
        if name in entry.pictures:
            return max(1.0, brightest(entry.pictures[name]))
    return 1.0


def map_scales(entries: Iterable[Entry]) -> dict[tuple[str, str], float]:
    """The end of the colours of the maps of each (task, image).

    It is one for all methods and for both maps, error and uncertainty, so that they compare: the
    median over the entries of the ``EXTREME`` quantile of the larger of the two.
    """
    extremes = defaultdict(list)
    for entry in entries:
        maps = [spread(entry.pictures), error(entry.pictures)]
        found = [_quantile(m, EXTREME) for m in maps if m is not None]
        extremes[entry.task, entry.image].append(max(found, default=0.0))
    return {
        key: median(v for v in found if v > 0) if any(found) else 1.0
        for key, found in extremes.items()
    }


def brightest(image: Tensor) -> float:
    """The largest finite value, 0 where there is none."""
    return _quantile(image, 1.0)


def spread(pictures: Mapping[str, Tensor]) -> Tensor | None:
    """The uncertainty, averaged over channels, (1, h, w)."""
    known = pictures.get("uncertainty")
    return None if known is None else known.double().mean(dim=0, keepdim=True)


def error(pictures: Mapping[str, Tensor]) -> Tensor | None:
    """The magnitude of reconstruction - truth, averaged over channels, (1, h, w)."""
    if "truth" not in pictures or "reconstruction" not in pictures:
        return None
    difference = pictures["reconstruction"].double() - pictures["truth"].double()
    return difference.abs().mean(dim=0, keepdim=True)


def _quantile(values: Tensor, q: float) -> float:
    """The quantile of finite ``values``, 0 of none. ``torch.quantile`` ends at 2^24 values."""
    finite = values[values.isfinite()].double().flatten()
    if len(finite) == 0:
        return 0.0
    rank = 1 + round(q * (len(finite) - 1))
    return float(torch.kthvalue(finite, rank).values)
