"""Shapes that an operator declares, and whether its measurements have them."""

from __future__ import annotations

from numbers import Integral

from torch import Tensor

from invscore.operators.base import Operator
from invscore.options.argument_checks import require_type
from invscore.options.words import kind_of

HOW = "invscore.operators.from_function makes one of a function, from_deepinv of a physics"


def require_operator(given: object) -> None:
    """Raise ``TypeError`` for what is no operator, ``ValueError`` for one that tells no shapes.

    >>> from invscore.operators import Identity
    >>> from invscore.operators.declared import require_operator
    >>> require_operator(Identity((1, 4, 4)))
    """
    require_type("operator", given, Operator, HOW)
    assert isinstance(given, Operator)
    require_shapes(given, f"the operator {type(given).__name__}")


def require_shapes(operator: Operator, called: str) -> None:
    """Raise ``ValueError`` unless ``in_shape`` and ``out_shape`` are sizes; ``called``: its name in
    the message."""
    for attribute in ("in_shape", "out_shape"):
        if not hasattr(operator, attribute):
            raise ValueError(
                f"{called} has no {attribute}: its __init__ must set one, a tuple such as "
                "(1, 256, 256)"
            )
        shape = getattr(operator, attribute)
        sizes = isinstance(shape, tuple | list) and all(isinstance(n, Integral) for n in shape)
        if not sizes or not shape or min(shape) < 1:
            raise ValueError(
                f"{called} must set {attribute} to a tuple of sizes such as (1, 256, 256), got "
                f"{shape!r}"
            )


def fault_of_measurements(operator: Operator, y: object, images: int) -> str:
    """What is wrong with measurements ``y`` of so many ``images``, in words: none if nothing is."""
    expected = (images, *operator.out_shape)
    if not isinstance(y, Tensor):
        return f"A(x) must be a tensor of shape {expected}, got {kind_of(y)}"
    given = tuple(y.shape)
    told = f"A(x) of {images} images must have the shape {expected}, got {given}"
    return "" if given == expected else told
