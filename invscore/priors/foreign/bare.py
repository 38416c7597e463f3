"""Files that hold a bare state dictionary: where it is, and stacks of convolutions in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from invscore.priors.foreign.containers import Content
from invscore.priors.foreign.family import is_weights, without_prefix

PLACES = ("state_dict", "params", "model_state_dict", "model", "net")
"""Names that a state dictionary is stored under, beside nothing at all."""


def bare_weights(content: Content) -> dict[str, Tensor] | None:
    """The state dictionary that the file holds, without the prefix of a wrapper for several
    devices; ``None`` where there is none."""
    for found in (content.data, *(content.at(place) for place in PLACES)):
        if is_weights(found):
            parallel = all(name.startswith("module.") for name in found)
            return (
                {name.removeprefix("module."): w for name, w in found.items()}
                if parallel
                else (dict(found))
            )
    return None


def network_weights(
    content: Content, sign: str
) -> tuple[Mapping[str, Tensor] | None, Mapping[str, Tensor] | None]:
    """Averaged and plain weights of a network, of which ``sign`` is one: wherever the file has
    them, under a name such as ``"ema_model"`` and a prefix such as ``"module."``."""
    averaged: Mapping[str, Tensor] | None = None
    raw: Mapping[str, Tensor] | None = None
    for place, found in _dictionaries(content.data):
        for name in found:
            if name != sign and not name.endswith(f".{sign}"):
                continue
            prefix = name.removesuffix(sign)
            weights = without_prefix(found, prefix) if prefix else found
            if "ema" in f"{place}.{prefix}".lower():
                averaged = averaged or weights
            else:
                raw = raw or weights
    return averaged, raw


def _dictionaries(
    data: Any, place: str = "", depth: int = 2
) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    """The state dictionaries within, each with the names that lead to it."""
    if is_weights(data):
        yield place, data
    elif isinstance(data, Mapping) and depth:
        for name, inner in data.items():
            yield from _dictionaries(inner, f"{place}.{name}", depth - 1)


def convolutions(
    weights: Mapping[str, Tensor], prefix: str, eps: float
) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of each convolution of a sequence ``{prefix}{number}...``, in its order.

    What is normalised by running statistics, with the constant ``eps``, is so in its weights. A
    convolution without a bias has one of zeros. Raises ``ValueError`` for other layers.
    """
    layers: list[tuple[Tensor, Tensor]] = []
    for place, group in groupby(sorted(weights, key=_natural), lambda n: n.rpartition(".")[0]):
        told = {name.rpartition(".")[2]: weights[name] for name in group}
        if not place.startswith(prefix):
            raise ValueError(f"the layer {place!r} is no part of the sequence {prefix}0, ...")
        told.pop("num_batches_tracked", None)
        weight = told.pop("weight", None)
        if weight is None:
            raise ValueError(f"the layer {place!r} has no weight")
        bias = told.pop("bias", None)
        if weight.ndim == 4 and not told:
            zeros = torch.zeros(len(weight), dtype=weight.dtype)
            layers.append((weight, zeros if bias is None else bias))
        elif set(told) == {"running_mean", "running_var"} and bias is not None and layers:
            before, shift = layers[-1]
            gain = weight * (told["running_var"] + eps).rsqrt()
            shift = bias + gain * (shift - told["running_mean"])
            layers[-1] = before * gain[:, None, None, None], shift
        else:
            raise ValueError(f"the layer {place!r} is neither a convolution nor a normalisation")
    return layers


def _natural(name: str) -> list[tuple[int, str]]:
    """Names in the order of the numbers in them."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
