"""The device to compute on, here or by the workers of a cluster."""

from __future__ import annotations

from invscore.hardware.devices import choose_device


def device_for(name: str, cluster: str | None) -> str:
    """``choose_device``, but for the workers of a ``cluster``, which look at their own machines."""
    return name if cluster is not None else choose_device(name)
