"""Options that operators draw at random: right for a simulation, not for a user's measurement."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from invscore import plugins
from invscore.tasks.builtin import get_builder
from invscore.tasks.deepinv_physics import PREFIX, draws_at_random
from invscore.tasks.specs import Spec

KNOWN_BY = {
    "inpaint": ("mask", "mask=FILE, white where measured"),
    "mri": ("mask", "mask=FILE, white where k-space was measured"),
    "cassi": ("mask", "mask=FILE of the coded aperture"),
    "cs": ("matrix", "matrix=FILE.npy"),
    "nonlinear-blur": ("kernel", "kernel=FILE"),
    "shake": ("", "the kernel as --op 'blur(kernel=FILE)'"),
}
"""Operators that draw something at random: the option that gives it instead, and how it is
written."""


def require_known(spec: Spec) -> None:
    """Raise ``ValueError`` where the operator of a user's own measurement would draw at random.

    That is an operator with an option ``seed`` which is not given. A class or function of the
    user's own may say otherwise by an attribute ``random``: the names of the options of which one
    must be given, () for none.
    """
    if spec.name.startswith(PREFIX) and spec.file is None:
        if draws_at_random(spec.name.removeprefix(PREFIX), spec.options):
            raise ValueError(
                f"operator {spec.name!r} would draw at random what only you know of a measurement "
                "of your own: give the file of its mask, or seed= of the simulation"
            )
        return
    instead, advice = "", ""
    if not spec.is_plugin:
        target: Callable[..., Any] = get_builder(spec.name)
        instead, advice = KNOWN_BY.get(spec.name, ("", ""))
    else:
        target = plugins.find_plugin("operator", spec.address)
        if not callable(target):
            return  # an instance, made already, or what load_custom has a sentence for
    needed = _needed(target, instead)
    if not needed or any(spec.options.get(name) is not None for name in needed):
        return
    ways = [advice] if advice else [f"{name}=..." for name in needed if name != "seed"]
    ways += ["seed= of the simulation that it comes from"] if "seed" in needed else []
    raise ValueError(
        f"operator {spec.name!r} would draw at random what only you know of a measurement of your "
        f"own: give {' or '.join(ways)}"
    )


def _needed(target: Callable[..., Any], instead: str) -> tuple[str, ...]:
    """The options of which one must be given."""
    declared = getattr(target, "random", None)
    if isinstance(declared, str):
        return (declared,)
    if isinstance(declared, (tuple, list)):
        return tuple(declared)
    try:
        draws = "seed" in inspect.signature(target).parameters
    except (TypeError, ValueError):
        return ()
    return tuple(name for name in (instead, "seed") if name) if draws else ()
