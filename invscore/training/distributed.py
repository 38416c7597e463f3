"""Distributed training: the processes that train one prior together, on one machine or several."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ProcessGroup:
    """One of ``size`` processes: its ``rank`` and its device. The main one alone writes files."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def main(self) -> bool:
        return self.rank == 0

    @torch.no_grad()
    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the processes, the same in all of them.

        Done on the gradients themselves, after all parts of a step, and not by a wrapper around
        the network: an objective may then differentiate the network however often it likes.
        """
        if self.size == 1:
            return
        from accelerate.utils import reduce

        flat = reduce(torch.cat([t.flatten() for t in tensors]), reduction="mean")
        start = 0
        for t in tensors:
            t.copy_(flat[start : start + t.numel()].view_as(t))
            start += t.numel()

    def check_agreement(self, number: int, what: str) -> None:
        """Raise ``ValueError``, saying ``what``, unless all processes have the same ``number``."""
        mean = torch.tensor([float(number)], device=self.device)
        self.average([mean])
        if mean.item() != number:
            raise ValueError(
                f"{what} must be the same for all processes: use a folder that all machines share"
            )


def is_main_process() -> bool:
    """Whether this process is the one that writes: for those who are not in the group."""
    return os.environ.get("RANK", "0") == "0"


def join_process_group(device: str) -> ProcessGroup:
    """The group that ``accelerate launch`` (or ``torchrun``) has started us in: this process alone
    where neither has. Each process takes a GPU of its own where ``device`` is one.

    Raises ``ValueError`` where the package accelerate is not installed and there are others.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ProcessGroup(torch.device(device))
    try:
        from accelerate import PartialState
    except ImportError:
        raise ValueError(
            "several processes need the package accelerate: pip install 'invscore[train]'"
        ) from None
    state = PartialState(cpu=torch.device(device).type == "cpu")
    return ProcessGroup(state.device, state.process_index, state.num_processes)
