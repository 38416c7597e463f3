"""Whether an architecture can be built, found out without the memory of its weights."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import create_model
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from invscore.hardware import memory
from invscore.networks import NETWORKS, build_network
from invscore.networks.unfilled import unfilled
from invscore.options.config import Section, as_section

MANY = 1_000_000
"""Number of weights that surely fits into memory."""

MOST_TENSORS = 5_000
"""Most tensors of a network: real ones have hundreds, and more take minutes to make."""


def check_architecture(name: str, *, energy: bool = False, **options: Any) -> int:
    """The number of weights of the network ``name``, as for ``build_network``.

    Raises ``ValueError`` for options that it does not have or that are none, and for a network that
    does not fit into memory.
    """
    if name in NETWORKS:
        as_section(options, _options(NETWORKS[name]))
    try:
        with unfilled(), counted_weights() as weights:
            build_network(name, energy=energy, **options)
    except (RuntimeError, OverflowError, TypeError) as error:
        # Sizes, or their product, beyond 64 bits; torch raises a TypeError of the first.
        if isinstance(error, TypeError) and "Overflow" not in str(error):
            raise
        raise ValueError("a network of such sizes has more weights than can be counted") from error
    return weights[0]


def _options(network: type[nn.Module]) -> type[Section]:
    """The arguments of a class of networks, as a section."""
    hints = typing.get_type_hints(network.__init__)
    fields: dict[str, Any] = {}
    for parameter in list(inspect.signature(network.__init__).parameters.values())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[parameter.name] = (hints.get(parameter.name, Any), default)
    section: type[Section] = create_model(network.__name__, __base__=Section, **fields)
    return section


@contextmanager
def counted_weights() -> Iterator[list[int]]:
    """The number of weights that are made in the block, which ends where they are too many.

    Each is looked at as it is registered: one that is not filled yet takes no memory.
    """
    total, tensors, asked = [0], 0, 0

    def count(_module: nn.Module, _name: str, weight: Tensor | None) -> None:
        nonlocal tensors, asked
        if weight is None:
            return
        tensors += 1
        total[0] += weight.numel()
        if total[0] > asked + MANY:  # what is free is read from a file, which takes its time
            asked = total[0]
            memory.require(memory.FLOAT * total[0], f"a network of {total[0]:.3g} weights or more")
        if tensors > MOST_TENSORS:
            raise ValueError(f"a network must have at most {MOST_TENSORS} tensors of weights")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield total
    finally:
        hook.remove()
