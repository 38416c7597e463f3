"""Who does the work: this process, several of this machine, or those of a cluster (Dask)."""

from __future__ import annotations

from invscore.engine.base import Alone, Engine, WorkerError, in_order, own_device
from invscore.engine.opening import available_workers, open_engine

__all__ = [
    "Alone",
    "Engine",
    "WorkerError",
    "available_workers",
    "in_order",
    "open_engine",
    "own_device",
]
