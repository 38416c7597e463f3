"""Operators of one's own: from a Python file or an installed package."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from invscore import plugins
from invscore.options.words import kind_of
from invscore.plugins.modules import where
from invscore.tasks.calls import call_own
from invscore.tasks.deepinv_physics import PREFIX, deepinv_operator

if TYPE_CHECKING:
    from invscore.operators import Operator

Shape = tuple[int, ...]


def load_custom(address: str, options: Mapping[str, Any], in_shape: Shape | None) -> Operator:
    """The operator that a plug-in is, see ``invscore.plugins``, or that it makes.

    Classes and functions are called with ``options``, and with ``in_shape`` where they take it.
    Raises ``ValueError`` where this does not give an operator; errors of the user's own code are
    reported with the line where they arose.
    """
    from invscore.operators import Operator
    from invscore.operators.declared import require_shapes

    if address.startswith(PREFIX):
        return deepinv_operator(address.removeprefix(PREFIX), options, in_shape)
    found = plugins.find_plugin("operator", address)
    place, _, name = address.rpartition(":")
    what = f"{name!r} in {place!r}" if place else f"operator {name!r}"
    if not inspect.isroutine(found) and not inspect.isclass(found):
        found = _adapted(found, what, in_shape)
    if isinstance(found, Operator):
        if options:
            raise ValueError(f"{what} is an instance: it takes no options")
        return found
    if not callable(found):
        raise ValueError(
            f"{what} must be an Operator, or a class or function that makes one, got "
            f"{kind_of(found)}"
        )
    made = _adapted(_call(found, what, options, in_shape), what, in_shape)
    if not isinstance(made, Operator):
        raise ValueError(
            f"{what} must give an Operator (from_function makes one of a function), or one of "
            f"another library, got {kind_of(made)}"
        )
    require_shapes(made, what)
    return made


def _adapted(made: object, what: str, in_shape: Shape | None) -> object:
    """The operator of what another library has for one; others as they are."""
    from invscore.operators.adapters import adapt

    try:
        return adapt(made, in_shape)
    except ValueError as error:
        if in_shape is None and "in_shape" in str(error):
            raise ValueError(f"{what} needs the shape of its images: give --shape C,H,W") from None
        raise
    except Exception as error:  # of the user's own code
        raise ValueError(f"{what} fails: {where(error, __file__)}") from error


def _call(target: Any, what: str, options: Mapping[str, Any], in_shape: Shape | None) -> object:
    parameters = inspect.signature(target).parameters
    given = dict(options)
    if "in_shape" in parameters and "in_shape" not in given and in_shape is not None:
        given["in_shape"] = in_shape
    forward = f", or from_function({target.__name__}, ...) if it is A itself"
    told = forward if inspect.isfunction(target) and len(parameters) == 1 else ""
    hints = {name: f"{name}=...{told}" for name in parameters}
    return call_own(target, what, given, {**hints, "in_shape": f"--shape C,H,W{told}"})
