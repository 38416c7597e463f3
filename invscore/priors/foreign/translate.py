"""Weights that a file keeps under its own names, brought to those of a network of ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from invscore.networks.foreign import build_foreign
from invscore.networks.unfilled import unfilled

Names = Callable[[str], Sequence[str]]
"""Function from the name of one of our weights to its names in the file; several are stacked in
order."""


def renamed(*rules: tuple[str, str]) -> Callable[[str], str]:
    """The function that applies the substitutions (regular expression, replacement) in turn."""
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]

    def apply(name: str) -> str:
        for pattern, replacement in compiled:
            name = pattern.sub(replacement, name)
        return name

    return apply


def translate(
    network: Mapping[str, Any], weights: Mapping[str, Tensor], names: Names
) -> dict[str, Tensor]:
    """All of ``weights`` under the names of ``network``, the options of ``build_foreign``.

    A 1 x 1 convolution of ours takes a matrix and the reverse. Raises ``ValueError`` that names,
    as the file does, the first weights that are missing, left over, of another shape or not finite.
    """
    with unfilled():
        known = build_foreign(**network).state_dict()
    missing: list[str] = []
    other: list[str] = []
    used: set[str] = set()
    found: dict[str, Tensor] = {}
    for ours, like in known.items():
        theirs = names(ours)
        used.update(theirs)
        lacking = [name for name in theirs if name not in weights]
        part = (like.shape[0] // len(theirs), *like.shape[1:])
        wrong = [
            f"{name!r}, {tuple(weights[name].shape)} for {part}"
            for name in theirs
            if name in weights and _core(weights[name].shape) != _core(part)
        ]
        missing += lacking
        other += wrong
        if not (lacking or wrong):
            stacked = torch.cat([weights[name] for name in theirs]) if theirs[1:] else None
            found[ours] = (weights[theirs[0]] if stacked is None else stacked).reshape(like.shape)
    kinds = {
        "are missing": [repr(name) for name in missing],
        "are left over": [repr(name) for name in sorted(set(weights) - used)],
        "have another shape": other,
    }
    parts = [f"{len(n)} {what}, such as {n[0]}" for what, n in kinds.items() if n]
    if parts:
        raise ValueError(f"the weights are not those of this network: {'; '.join(parts)}")
    for name, weight in weights.items():
        if weight.is_complex() or not (weight.is_meta or bool(weight.isfinite().all())):
            raise ValueError(f"the weight {name!r} is not finite and real")
    return found


def _core(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape without the ones at its end."""
    core = list(shape)
    while core and core[-1] == 1:
        core.pop()
    return tuple(core)
