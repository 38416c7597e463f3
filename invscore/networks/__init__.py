"""Architectures that a network prior can hold, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from invscore import plugins
from invscore.networks.potential import Potential
from invscore.networks.unet import SIZES, UNet
from invscore.options.words import kind_of, meant

__all__ = ["NETWORKS", "SIZES", "Potential", "UNet", "build_network", "own_network"]

NETWORKS: dict[str, type[nn.Module]] = {"unet": UNet}


def build_network(name: str, *, energy: bool = False, **options: Any) -> nn.Module:
    """The network ``name`` with untrained weights, or the ``Potential`` made of it (``energy``).

    ``name``: one of ``NETWORKS``, or one under which an installed package has entered a class, see
    ``invscore.plugins``. Raises ``ValueError`` for an unknown name.

    >>> import torch
    >>> from invscore.networks import build_network
    >>> network = build_network("unet", channels=1, widths=[8, 16], blocks=1)
    >>> network(torch.rand(2, 1, 8, 8), torch.zeros(2)).shape
    torch.Size([2, 1, 8, 8])
    """
    if plugins.is_address(name):
        raise ValueError(
            f"the network {name!r} is code of one's own, which is run only when asked for by name: "
            f"load_prior(file, network={name!r})"
        )
    made = NETWORKS.get(name) or plugins.find_plugin("network", name)
    if made is None:
        known = sorted({*NETWORKS, *plugins.installed("network")})
        raise ValueError(
            f"unknown network {name!r}: known are {', '.join(known)}{meant(name, known)}"
        )
    return _built(made, name, energy, options)


def own_network(
    network: str | Callable[..., nn.Module],
    *,
    name: str = "",  # noqa: ARG001
    energy: bool = False,
    **options: Any,
) -> nn.Module:
    """A network of one's own: an address, see ``invscore.plugins``, or a class or function.

    It is called with ``options``. Raises ``ValueError`` where this gives no network.

    >>> import torch
    >>> from invscore.networks import own_network
    >>> class Net(torch.nn.Module):
    ...     def __init__(self, width):
    ...         super().__init__()
    ...         self.layer = torch.nn.Conv2d(1, 1, width)
    >>> type(own_network(Net, width=3)).__name__
    'Net'
    """
    called = network if isinstance(network, str) else getattr(network, "__name__", "network")
    made = plugins.find_plugin("network", network) if isinstance(network, str) else network
    if made is None:
        raise ValueError(
            f"`network` must be file.py:name, package.module:name or that of an installed package, "
            f"got {called!r}"
        )
    return _built(made, called, energy, options)


def _built(made: Any, name: str, energy: bool, options: dict[str, Any]) -> nn.Module:
    if not callable(made):
        raise ValueError(f"the network {name!r} must be a class or a function, got {made!r}")
    network = made(**options)
    if not isinstance(network, nn.Module):
        raise ValueError(f"the network {name!r} must be a torch.nn.Module, got {kind_of(network)}")
    return Potential(network) if energy else network
