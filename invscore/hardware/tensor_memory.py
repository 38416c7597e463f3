"""Memory that tensors hold at once while something is computed."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class TensorMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of the tensors made within it: ``now``, and ``most`` at once.

    Of each operation, what it returns and what is held when it has; temporary memory within an
    operation is not seen.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._sizes: dict[int, int] = {}
        self.now = self.most = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in tree_iter(result):
            if isinstance(each, torch.Tensor):
                self._note(each.untyped_storage())
        return result

    def _note(self, storage: torch.UntypedStorage) -> None:
        place = storage._cdata
        if place in self._sizes or not storage.nbytes():
            return
        self._sizes[place] = storage.nbytes()
        self.now += storage.nbytes()
        weakref.finalize(storage, self._gone, place).atexit = False
        if self.now > self.most:
            self.most = self.now
            self._grown()

    def _grown(self) -> None:
        """There has never been as much as now."""

    def _gone(self, place: int) -> None:
        self.now -= self._sizes.pop(place, 0)
