"""Tensors that are part of an operator, ready in single and in double precision."""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.doubles import has_doubles


class Constant:
    """A fixed real or complex tensor that takes the precision of the data it meets.

    Both precisions are made at once, from the double one, and are ordinary tensors even when made
    in ``inference_mode``: a copy made at first use could belong to a functional transform, and be
    useless afterwards.
    """

    def __init__(self, value: Tensor) -> None:
        with torch.inference_mode(False):
            value = value.detach().clone()
            self.double = value.to(torch.complex128 if value.is_complex() else torch.float64)
            self.single = value.to(torch.complex64 if value.is_complex() else torch.float32)

    def like(self, data: Tensor) -> Tensor:
        """The tensor in the precision of ``data``, complex if and only if it was given complex."""
        return self.at(data.dtype)

    def at(self, dtype: torch.dtype) -> Tensor:
        """The tensor in the precision of ``dtype``."""
        return self.double if dtype in (torch.float64, torch.complex128) else self.single

    def to(self, device: torch.device | str) -> Constant:
        """A copy on ``device``."""
        moved = Constant.__new__(Constant)
        moved.single = self.single.to(device)
        there = has_doubles(moved.single.device)
        moved.double = self.double.to(device) if there else self.double
        return moved

    def beside(self, value: Tensor) -> Constant:
        """``value``, which was made of ``double``, on the device of this one."""
        return Constant(value).to(self.single.device)
