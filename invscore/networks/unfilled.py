"""Networks whose weights have shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

FILLS: set[Callable[..., Any]] = {
    Tensor.normal_,
    Tensor.uniform_,
    Tensor.fill_,
    Tensor.zero_,
}


class _Unfilled(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in FILLS or getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        if func in (torch.linspace, torch.logspace) and len(args) == 3:
            return torch.empty(args[2])
        return func(*args, **(kwargs or {}))


@contextmanager
def unfilled() -> Iterator[None]:
    """Tensors that are made in the block are on the device ``meta``, and nothing draws them.

    To draw on that device, torch would import its compiler, which takes seconds.
    """
    with torch.device("meta"), _Unfilled():
        yield
