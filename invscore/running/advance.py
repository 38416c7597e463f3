"""Progress of a reconstruction: its steps, and the tiles of the one that is being made."""

from __future__ import annotations

from collections.abc import Callable


class Advance:
    """Tells ``on_step`` of the steps of a method, of ``total``, and ``on_tile`` of parts of them.

    A network that is evaluated several times in a step is at the best of their shares.
    """

    def __init__(
        self,
        on_step: Callable[[int, int], None],
        on_tile: Callable[[float, int], None],
        total: int,
    ) -> None:
        self._on_step, self._on_tile, self._total = on_step, on_tile, total
        self._done, self._share = 0, 0.0

    def step(self, done: int, total: int) -> None:
        """``done`` steps of ``total`` have been made."""
        self._done, self._share = done, 0.0
        self._on_step(done, total)

    def tile(self, share: float) -> None:
        """A ``share`` of an evaluation of the next step is done, if there is one."""
        if self._done < self._total:
            self._share = max(self._share, share)
            self._on_tile(self._done + self._share, self._total)
