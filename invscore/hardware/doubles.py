"""Double precision, where the device has it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SINGLE = {"mps"}
"""Types of devices without double precision."""


def has_doubles(device: torch.device) -> bool:
    """Whether ``device`` computes in double precision."""
    return device.type not in SINGLE


def doubled(x: Tensor) -> Tensor:
    """``x`` in double precision: where it is, or on the CPU where its device has none."""
    wide = torch.complex128 if x.is_complex() else torch.float64
    return (x if has_doubles(x.device) else x.cpu()).to(wide)


def widest(x: Tensor) -> Tensor:
    """``x`` in double precision, or as it is where its device has none."""
    return doubled(x) if has_doubles(x.device) else x


def placed(x: Tensor, device: torch.device | str | None, dtype: torch.dtype | None) -> Tensor:
    """``x`` on ``device``, in the precision of the real ``dtype``.

    Numbers in double precision are made single where ``dtype`` does not say and the device has
    no other.
    """
    if not (x.is_floating_point() or x.is_complex()):
        return x.to(device)
    if dtype is None and device is not None and not has_doubles(torch.device(device)):
        dtype = torch.float32 if x.real.dtype == torch.float64 else None
    return x.to(device, dtype.to_complex() if dtype is not None and x.is_complex() else dtype)


def moving(move: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """``move`` for tensors of a module (``nn.Module._apply``), single where doubles are refused."""

    def careful(x: Tensor) -> Tensor:
        try:
            return move(x)
        except TypeError:
            if x.dtype != torch.float64:
                raise
        return move(x.float())

    return careful
