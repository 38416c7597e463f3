"""Operations that a computation asks of the device, counted on the CPU."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

WAITING = {
    "aten._local_scalar_dense",
    "aten.is_nonzero",
    "aten.equal",
    "aten.nonzero",
    "aten.masked_select",
    "aten._unique2",
    "aten.unique_dim",
    "aten.bincount",
}
"""Of these the host needs the answer: it waits until a device has done all that was asked."""
FREE = {
    "aten.view",
    "aten._unsafe_view",
    "aten.expand",
    "aten.detach",
    "aten.alias",
    "aten.slice",
    "aten.select",
    "aten.transpose",
    "aten.permute",
    "aten.t",
    "aten.unsqueeze",
    "aten.squeeze",
    "aten.split",
    "aten.split_with_sizes",
    "aten.unbind",
    "aten._reshape_alias",
    "aten.as_strided",
    "aten.view_as_real",
    "aten.view_as_complex",
    "aten.real",
    "aten.imag",
    "aten._conj",
    "aten._neg_view",
    "aten.empty",
    "aten.empty_like",
    "aten.new_empty",
    "aten.new_empty_strided",
    "aten.empty_strided",
    "prim.device",
}
"""Of these a device is told nothing."""


class Counting(TorchDispatchMode):
    """Counts what is launched within it: ``operations``, ``transforms``, ``waits``."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = str(func.overloadpacket)
        indices = args[1] if name in {"aten.index", "aten.index_put", "aten.index_put_"} else []
        if any(i is not None and i.dtype.itemsize == 1 for i in indices):
            name = "aten.nonzero"  # an index by truth has to find how many there are
        self.seen[name] += 1
        return func(*args, **(kwargs or {}))

    @property
    def operations(self) -> int:
        return sum(n for name, n in self.seen.items() if name not in FREE)

    @property
    def transforms(self) -> int:
        return sum(n for name, n in self.seen.items() if name.startswith("aten._fft"))

    @property
    def waits(self) -> dict[str, int]:
        return {name: n for name, n in self.seen.items() if name in WAITING}
