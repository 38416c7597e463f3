"""Ranges of options: each is declared once, in the signature of what takes the option.

``trust: Share = 0.35`` says that ``trust`` is a number in [0, 1]. Methods, samplers and the
builders of operators are checked against their signatures before anything else is done.
"""

from __future__ import annotations

import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

from annotated_types import Interval
from pydantic import TypeAdapter, ValidationError

from invscore.options.words import one_of, shown

Count = Annotated[int, Interval(ge=1, le=10**6)]
"""Steps, iterations, particles."""
Seed = Annotated[int, Interval(ge=0, le=2**63 - 1)]
Share = Annotated[float, Interval(ge=0, le=1)]
SomeShare = Annotated[float, Interval(gt=0, le=1)]
Level = Annotated[float, Interval(ge=1e-6, le=10**6)]
"""A noise level in image units."""
Weight = Annotated[float, Interval(gt=0, le=10**6)]
Guidance = Annotated[float, Interval(ge=0, le=1000)]
Rate = Annotated[float, Interval(gt=0, le=100)]
StableStep = Annotated[float, Interval(gt=0, lt=2)]
"""A step in units of the inverse curvature; explicit steps diverge from 2 on."""

P = ParamSpec("P")
T = TypeVar("T")

NAMES = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}


@functools.lru_cache(maxsize=256)
def defaults(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The keyword-only arguments of ``function``; ``inspect.Parameter.empty`` is no default."""
    parameters = inspect.signature(function).parameters.values()
    own = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    return types.MappingProxyType(own)


@functools.lru_cache(maxsize=256)
def hints(function: Callable[..., Any]) -> Mapping[str, Any]:
    """The types of the arguments of ``function``, with their ranges."""
    inner = inspect.unwrap(function)
    try:
        found = typing.get_type_hints(inner, localns={"Operator": object}, include_extras=True)
        return types.MappingProxyType(found)
    except NameError:  # a user's own function that imports its types for type checkers alone
        return {}


def fault(value: object, hint: Any) -> str | None:
    """``"must lie in [0, 1]"`` where ``value`` does not fit ``hint``, else None."""
    try:
        _adapter(hint).validate_python(value, strict=True)
    except ValidationError:
        return f"must {_said(hint, within=_is_a(value, hint))}"
    return "must be a number" if isinstance(value, float) and math.isnan(value) else None


def described(hint: Any) -> str:
    """The range in short, for tables: ``[0, 1]``, ``a or b``; nothing where there is none."""
    bounds = [_bounds(part) for part in _parts(hint)]
    choices = [each for part in _parts(hint) for each in _choices(part)]
    return one_of([each for each in (*bounds, *choices) if each]) if any(bounds) or choices else ""


def require(value: object, hint: Any, name: str, called: str = "") -> None:
    """Raise ``ValueError`` that names ``name``, and what it is of, where ``value`` does not fit."""
    if words := fault(value, hint):
        raise ValueError(f"{f'{called}: ' if called else ''}`{name}` {words}, got {shown(value)}")


def checked(function: Callable[P, T], called: str) -> Callable[P, T]:
    """``function``, whose options are checked against its signature at each call."""
    declared = hints(function)

    @functools.wraps(function)
    def run(*args: P.args, **options: P.kwargs) -> T:
        for name, value in options.items():
            if name in declared:
                require(value, declared[name], name, called)
        return function(*args, **options)

    return run


@functools.cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def _parts(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the hint alone."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def _plain(hint: Any) -> Any:
    return typing.get_args(hint)[0] if typing.get_origin(hint) is Annotated else hint


def _is_a(value: object, hint: Any) -> bool:
    """Whether ``value`` has a type of ``hint``, whatever its range."""
    kinds = [_plain(part) for part in _parts(hint)]
    number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return (float in kinds and number) or (int in kinds and type(value) is int)


def _said(hint: Any, *, within: bool) -> str:
    parts = _parts(hint)
    if within:
        return f"lie in {one_of([bounds for part in parts if (bounds := _bounds(part))])}"
    words = []
    for part in parts:
        kind = _plain(part)
        if kind is types.NoneType:
            words.append("none")
        elif choices := _choices(part):
            words += choices
        elif typing.get_origin(kind) is tuple and Ellipsis in typing.get_args(kind):
            words.append("a list of numbers")
        elif typing.get_origin(kind) is tuple:
            words.append("a pair (rows, columns)")
        else:
            words.append(NAMES.get(kind, getattr(kind, "__name__", str(kind))))
    return f"be {one_of(words)}"


def _choices(hint: Any) -> list[str]:
    kind = _plain(hint)
    return list(typing.get_args(kind)) if typing.get_origin(kind) is Literal else []


def _bounds(hint: Any) -> str:
    if typing.get_origin(hint) is not Annotated:
        return ""
    for each in hint.__metadata__:
        if isinstance(each, Interval):
            low = f"({_short(each.gt)}" if each.gt is not None else f"[{_short(each.ge)}"
            high = f"{_short(each.lt)})" if each.lt is not None else f"{_short(each.le)}]"
            return f"{low}, {high}"
    return ""


def _short(bound: Any) -> str:
    """``1e+09`` for what is large and round, and no digit less of anything else."""
    short = f"{bound:g}"
    return short if float(short) == bound and isinstance(bound, float) else str(bound)
