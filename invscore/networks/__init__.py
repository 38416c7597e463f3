"""Architectures that a network prior can hold, by name."""

from __future__ import annotations

from typing import Any

from torch import nn

from invscore.networks.potential import Potential
from invscore.networks.unet import SIZES, UNet

__all__ = ["NETWORKS", "SIZES", "Potential", "UNet", "build_network"]

NETWORKS: dict[str, type[nn.Module]] = {"unet": UNet}


def build_network(name: str, *, energy: bool = False, **options: Any) -> nn.Module:
    """The network ``name`` with untrained weights, or the ``Potential`` made of it (``energy``).

    Raises ``ValueError`` for an unknown name.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}: known are {', '.join(sorted(NETWORKS))}")
    network = NETWORKS[name](**options)
    return Potential(network) if energy else network
