"""The watch for NaN and infinity, for which a GPU never runs out of work."""

from __future__ import annotations

import torch
from torch import Tensor

BEHIND = {"cuda"}
"""Types of devices that compute asynchronously."""


class Watch:
    """Looks at states now and then, and tells the first step whose state was not finite.

    On a GPU the answer of a look is read at the next: by then the device has given it, or has all
    the steps since to do while the host waits. Elsewhere it is read at once.
    """

    def __init__(self) -> None:
        self._asked: tuple[int, Tensor, torch.cuda.Event | None] | None = None

    def look(self, step: int, state: Tensor) -> int | None:
        """The step of the look before, or of this one, if its state was not finite."""
        lost = self._answer()
        finite = state.isfinite().all()
        if state.device.type not in BEHIND:
            self._asked = step, finite, None
            return self._answer()
        self._asked = step, finite.to("cpu", non_blocking=True), recorded(state.device)
        return lost

    def last(self, step: int, state: Tensor) -> int | None:
        """Check of this state that waits for its answer."""
        lost = self.look(step, state)
        return self._answer() if lost is None else lost

    def _answer(self) -> int | None:
        if self._asked is None:
            return None
        step, finite, done = self._asked
        self._asked = None
        if done is not None:
            done.synchronize()
        return None if bool(finite) else step


def recorded(device: torch.device) -> torch.cuda.Event:
    """An event that comes when the device has done what it has been asked so far."""
    with torch.cuda.device(device):
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
    return event
