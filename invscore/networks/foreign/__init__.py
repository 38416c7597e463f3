"""Architectures of other people's checkpoints, written anew, by name."""

from __future__ import annotations

from typing import Any

from torch import nn

from invscore.networks.foreign.residual_unet import ResidualUNet
from invscore.networks.foreign.skip_unet import SkipUNet

FOREIGN: dict[str, type[nn.Module]] = {
    "residual-unet": ResidualUNet,
    "skip-unet": SkipUNet,
}


def build_foreign(name: str, **options: Any) -> nn.Module:
    """The network ``name`` with untrained weights. Raises ``ValueError`` for an unknown name."""
    if name not in FOREIGN:
        raise ValueError(f"unknown network {name!r}: known are {', '.join(sorted(FOREIGN))}")
    return FOREIGN[name](**options)
