"""Tensors that are part of an operator, ready in single and in double precision."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from invscore.hardware.doubles import has_doubles

LARGE = 2**20
"""Number of values from which on a double-precision copy is made when it is asked for, not kept."""


class Constant:
    """A fixed real or complex tensor that takes the precision of the data it meets.

    Both precisions are made at once, from the double one, and are ordinary tensors even when made
    in ``inference_mode``: a copy made at first use could belong to a functional transform, and be
    useless afterwards. Of a large tensor, given by a function that makes it, or in single precision
    (or as integers or truths), the double one is made at each use and not held.
    """

    def __init__(self, value: Tensor | Callable[[], Tensor]) -> None:
        self._make = None if isinstance(value, Tensor) else value
        with torch.inference_mode(False):
            made = (value if isinstance(value, Tensor) else value()).detach().clone()
            single = made.to(torch.complex64 if made.is_complex() else torch.float32)
            # Of a large mask, truths take a fourth of the memory.
            self._single = made if made.dtype == torch.bool and made.numel() >= LARGE else single
            as_it_is = made.dtype not in (torch.float64, torch.complex128)
            held = made.numel() < LARGE or not (as_it_is or self._make is not None)
            self._double = made.to(_double(made)) if held else None

    @property
    def single(self) -> Tensor:
        """The tensor in single precision."""
        return self._single.float() if self._single.dtype == torch.bool else self._single

    @property
    def double(self) -> Tensor:
        """The tensor in double precision; on the host where its device has none."""
        if self._double is not None:
            return self._double
        device = self.device if has_doubles(self.device) else "cpu"
        with torch.inference_mode(False):
            made = self._single if self._make is None else self._make()
            return made.detach().to(device).to(_double(made))

    @property
    def device(self) -> torch.device:
        return self._single.device

    def like(self, data: Tensor) -> Tensor:
        """The tensor in the precision of ``data``, complex if and only if it was given complex."""
        return self.at(data.dtype)

    def at(self, dtype: torch.dtype) -> Tensor:
        """The tensor in the precision of ``dtype``."""
        return self.double if dtype in (torch.float64, torch.complex128) else self.single

    def to(self, device: torch.device | str) -> Constant:
        """A copy on ``device``."""
        moved = Constant.__new__(Constant)
        moved._make = self._make
        moved._single = self._single.to(device)
        moved._double = self._double
        if self._double is not None and has_doubles(moved.device):
            moved._double = self._double.to(device)
        return moved

    def beside(self, value: Tensor) -> Constant:
        """``value``, which was made of ``double``, on the device of this one."""
        return Constant(value).to(self.device)

    def derived(self, change: Callable[[Tensor], Tensor]) -> Constant:
        """Result of ``change`` on the double-precision tensor, on the device of this one."""
        if self._make is None:
            return self.beside(change(self.double))
        return Constant(partial(_changed, change, self._make)).to(self.device)


def _changed(change: Callable[[Tensor], Tensor], make: Callable[[], Tensor]) -> Tensor:
    return change(make())


def _double(value: Tensor) -> torch.dtype:
    return torch.complex128 if value.is_complex() else torch.float64
