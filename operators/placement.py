"""Operators on another device or in another precision, without copying what stays."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Self

import torch
from torch import Tensor, nn

from invscore.hardware.doubles import placed
from invscore.operators.constant import Constant


class Movable:
    """An object that holds tensors in its attributes, and in objects like it among them."""

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        """A copy with its tensors on ``device`` and in the precision of the real type ``dtype``.

        A ``Constant`` follows the precision of the data, whatever ``dtype`` is.
        """
        moved = copy.copy(self)
        for name, value in vars(self).items():
            setattr(moved, name, _moved(value, device, dtype))
        return moved


def number_type(holder: Movable) -> Tensor:
    """An empty real tensor on the device and in the precision of the tensors of ``holder``."""
    numbers = (t for t in _tensors(holder) if t.is_floating_point() or t.is_complex())
    return next(numbers, torch.empty(0)).real.new_empty(0)


def _tensors(value: object) -> Iterator[Tensor]:
    """All tensors in ``value``."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Constant):
        yield value.single
    elif isinstance(value, nn.Module):
        yield from value.parameters()
        yield from value.buffers()
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, Movable):
        for item in vars(value).values():
            yield from _tensors(item)


def _moved(value: object, device: torch.device | str | None, dtype: torch.dtype | None) -> object:
    if isinstance(value, Movable):
        return value.to(device, dtype)
    if isinstance(value, Constant):
        return value if device is None else value.to(device)
    if isinstance(value, nn.Module):
        return moved_module(value, partial(placed, device=device, dtype=dtype))
    if isinstance(value, tuple | list):
        return type(value)(_moved(item, device, dtype) for item in value)
    if isinstance(value, Tensor):
        return placed(value, device, dtype)
    return value


def moved_module(module: nn.Module, move: Callable[[Tensor], Tensor]) -> nn.Module:
    """A copy of ``module`` whose tensors have been through ``move``; all else is shared.

    Parameters, buffers, tensors that are plain attributes, in lists, tuples and dictionaries too,
    and those of the modules within. Nothing is copied deeply: random generators, which cannot be,
    and tensors that ``move`` leaves as they are belong to both.
    """
    if isinstance(module, torch.jit.ScriptModule):
        return copy.deepcopy(module).apply(lambda part: _apply(part, move))
    return _module(module, move, {})


def _apply(module: nn.Module, move: Callable[[Tensor], Tensor]) -> None:
    for held in (module._parameters, module._buffers):
        for name, value in held.items():
            if value is not None:
                setattr(module, name, _value(value, move, {}))


def _module(
    module: nn.Module, move: Callable[[Tensor], Tensor], known: dict[int, nn.Module]
) -> nn.Module:
    if id(module) in known:
        return known[id(module)]
    moved = type(module).__new__(type(module))
    known[id(module)] = moved
    for name, value in vars(module).items():
        moved.__dict__[name] = _value(value, move, known)
    return moved


def _value(value: object, move: Callable[[Tensor], Tensor], known: dict[int, nn.Module]) -> object:
    if isinstance(value, nn.Module):
        return _module(value, move, known)
    if isinstance(value, nn.Parameter):
        return nn.Parameter(move(value.data), value.requires_grad)
    if isinstance(value, Tensor):
        return move(value)
    if type(value) is list:
        return [_value(item, move, known) for item in value]
    if type(value) is tuple:
        return tuple(_value(item, move, known) for item in value)
    if isinstance(value, dict):
        items = {key: _value(item, move, known) for key, item in value.items()}
        return items if type(value) is dict else type(value)(items)
    return value
