"""Architectures of other people's checkpoints, with their names of weights, by name."""

from __future__ import annotations

from typing import Any

from torch import nn

FOREIGN: dict[str, type[nn.Module]] = {}


def build_foreign(name: str, **options: Any) -> nn.Module:
    """The network ``name`` with untrained weights. Raises ``ValueError`` for an unknown name."""
    if name not in FOREIGN:
        raise ValueError(f"unknown network {name!r}: known are {', '.join(sorted(FOREIGN))}")
    return FOREIGN[name](**options)
