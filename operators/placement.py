"""Modules of torch on another device or in another precision, without copying what stays."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn


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
