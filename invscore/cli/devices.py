"""The device of a command, here or by the workers of a cluster, and its threads."""

from __future__ import annotations

import os

from invscore.hardware.cores import Work
from invscore.hardware.devices import choose_device

_began: list[Work] = []


def begin() -> None:
    """Look at what the cores do from now on, before anything is imported."""
    work = Work.until_now()
    _began[:] = [] if work is None else [work]


def device_here(name: str) -> str:
    """``choose_device``, with no more threads than there are cores that other programs leave.

    A number of threads that the environment asks for is kept.
    """
    import torch

    now = Work.until_now()
    if _began and now is not None and not os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(min(torch.get_num_threads(), now.left(_began[0])))
    return choose_device(name)


def device_for(name: str, cluster: str | None) -> str:
    """``choose_device``, but for the workers of a ``cluster``, which look at their own machines."""
    return name if cluster is not None else choose_device(name)
