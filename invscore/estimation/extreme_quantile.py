"""Quantiles near an end, by a partial sort."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def extreme_quantile(values: Tensor, q: float) -> Tensor:
    """The quantile ``q`` of each row of ``values``, (b, n): (b,), as ``torch.quantile`` has it.

    Only what lies beyond it is sorted, which takes a fraction of the time where q is near 0 or 1.

    >>> import torch
    >>> from invscore.estimation.extreme_quantile import extreme_quantile
    >>> extreme_quantile(torch.arange(101.0)[None], 0.995)
    tensor([99.5000])
    """
    last = values.shape[1] - 1
    place = q * last
    upper = q > 0.5
    beyond = last - math.floor(place) if upper else math.ceil(place)
    sorted_ = torch.topk(values, beyond + 1, dim=1, largest=upper).values
    # The number on either side of the place, counted from this end.
    inner, outer = sorted_[:, -1], sorted_[:, max(0, beyond - 1)]
    share = place - math.floor(place) if upper else math.ceil(place) - place
    return torch.lerp(inner, outer, share)
