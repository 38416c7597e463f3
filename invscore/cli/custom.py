"""Operators from the user's own Python file."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invscore.operators import Operator

Shape = tuple[int, ...]


def load_custom(
    file: Path, name: str, options: Mapping[str, Any], in_shape: Shape | None
) -> Operator:
    """The operator ``name`` of ``file``: an instance, or a class or function that makes one.

    Classes and functions are called with ``options``, and with ``in_shape`` where they take it.
    Raises ``ValueError`` where this does not give an operator; errors of the user's own code are
    reported with the line where they arose.
    """
    from invscore.operators import Operator

    found = getattr(_load_module(file), name, None)
    if found is None:
        raise ValueError(f"{str(file)!r} defines no {name!r}")
    if isinstance(found, Operator):
        if options:
            raise ValueError(f"{name!r} in {str(file)!r} is an instance: it takes no options")
        return found
    if not callable(found):
        raise ValueError(
            f"{name!r} in {str(file)!r} is of type {type(found).__name__}: an Operator, or a class "
            "or function that makes one, is allowed"
        )
    made = _call(found, f"{name!r} in {str(file)!r}", options, in_shape)
    if not isinstance(made, Operator):
        raise ValueError(
            f"{name!r} in {str(file)!r} gives a {type(made).__name__}: an Operator is allowed "
            "(from_function makes one of a function)"
        )
    for attribute in ("in_shape", "out_shape"):
        if not hasattr(made, attribute):
            raise ValueError(
                f"{name!r} in {str(file)!r} has no {attribute}: its __init__ must set one, a tuple "
                "such as (1, 256, 256)"
            )
    return made


def _load_module(file: Path) -> ModuleType:
    if not file.is_file():
        raise ValueError(f"{str(file)!r}: no such file")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None  # the suffix is .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent.resolve()))  # as Python does for a script
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{str(file)!r} cannot be imported: {_where(error)}") from error
    return module


def _call(target: Any, what: str, options: Mapping[str, Any], in_shape: Shape | None) -> object:
    parameters = inspect.signature(target).parameters
    given = dict(options)
    if "in_shape" in parameters and "in_shape" not in given and in_shape is not None:
        given["in_shape"] = in_shape
    for option in given:
        if option not in parameters:
            has = ", ".join(parameters) or "none"
            raise ValueError(f"{what} has no option {option!r}: it has {has}")
    for parameter in parameters.values():
        variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if parameter.default is parameter.empty and not variadic and parameter.name not in given:
            hint = "--shape C,H,W" if parameter.name == "in_shape" else f"{parameter.name}=..."
            raise ValueError(f"{what} needs {parameter.name}: give {hint}")
    try:
        return target(**given)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{what} fails: {_where(error)}") from error


def _where(error: BaseException) -> str:
    """The error with the place in the user's code that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        return (
            f"{type(error).__name__}: {error}"  # raised by the call itself, nowhere in their code
        )
    line = error.lineno if isinstance(error, SyntaxError) else trace and trace.tb_lineno
    file = error.filename if isinstance(error, SyntaxError) else None
    file = file or (trace.tb_frame.f_code.co_filename if trace else "?")
    text = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{type(error).__name__}: {text} ({Path(file).name}, line {line})"
