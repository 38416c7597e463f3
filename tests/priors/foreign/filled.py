"""Weights by a formula: what other codes give with them was computed once, and is in the tests."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

Shapes = Iterable[tuple[str, tuple[int, ...]]]


def filled(shapes: Shapes) -> dict[str, Tensor]:
    """Sines of their place: the i-th tensor has ``sin(0.7 j + i)`` as its j-th number, of the size
    that keeps the magnitude of images, and scales of normalisations are about 1."""
    weights = {}
    for i, (name, shape) in enumerate(shapes):
        count = math.prod(shape)
        w = (0.7 * torch.arange(count, dtype=torch.float64) + i).sin().reshape(shape)
        if len(shape) > 1:
            w = w * 1.2 / math.sqrt(count // shape[0])
        else:
            w = 0.2 * w + ("norm" in name.lower() and name.endswith(("weight", "gamma")))
        weights[name] = w.float()
    return weights


def layout(weights: Mapping[str, Tensor]) -> str:
    """A digest of names and shapes: that of the other code is in the tests."""
    lines = sorted(f"{name} {tuple(weight.shape)}" for name, weight in weights.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
