"""Ranges of options: what is outside is refused, in one sentence, before anything else is done."""

from __future__ import annotations

import inspect
import math
import re
import typing
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest

from invscore.methods import METHODS
from invscore.options.ranges import Level, Share, described, fault, hints
from invscore.plugins.registry import Registered
from invscore.sampling import SAMPLERS
from invscore.tasks.builtin import BUILTIN, check_options, option_defaults, option_ranges

HOSTILE = (-1e30, -1, 0, 1e-12, 1e30, math.nan, math.inf, -math.inf, "much", None, True, (1, 2, 3))
SENTENCE = r"`{name}` must (lie in|be) .+, got .+"

Check = Callable[[dict[str, Any]], object]


def choices() -> Iterator[tuple[str, str, Any, Check]]:
    """Every option: what it is of, its name, its type, what checks it."""
    entries: list[Registered] = [*METHODS.values(), *SAMPLERS.values()]
    for entry in entries:
        for name, hint in entry.hints.items():
            yield f"{entry.kind} {entry.name}", name, hint, entry.options
    for operator in BUILTIN:
        known = option_defaults(operator)
        needed = {n: "k.png" for n, v in known.items() if v is inspect.Parameter.empty}

        def check(given: dict[str, Any], op: str = operator, needed: Any = needed) -> object:
            return check_options(op, {**needed, **given})

        for name in known:
            yield f"operator {operator}", name, option_ranges(operator)[name], check


ALL = list(choices())


@pytest.mark.parametrize(
    ("owner", "name", "hint", "check"), ALL, ids=[f"{owner}:{name}" for owner, name, *_ in ALL]
)
def test_every_option_has_a_range(owner: str, name: str, hint: Any, check: Check) -> None:
    """Numbers are bounded on both sides, words are of a list, and all else is refused."""
    del owner
    parts = typing.get_args(hint) if "|" in str(hint) or hint is Any else (hint,)
    plain = [each for each in (hint, *parts) if each in (int, float)]
    assert not plain, f"{name} is a number without a range"
    refused = [value for value in HOSTILE if fault(value, hint)]
    for value in refused:
        with pytest.raises(ValueError, match=SENTENCE.format(name=name)) as caught:
            check({name: value})
        assert "\n" not in str(caught.value)
    numbers = {-1e30, 1e30, math.inf, -math.inf}
    assert numbers <= set(refused) or hint is Any
    assert any(isinstance(value, float) and math.isnan(value) for value in refused)


@pytest.mark.parametrize("entry", [*METHODS.values(), *SAMPLERS.values()], ids=lambda e: e.name)
def test_defaults_are_within_their_ranges(entry: Registered) -> None:
    assert entry.options(entry.defaults) == entry.defaults


@pytest.mark.parametrize("operator", BUILTIN)
def test_defaults_of_operators_are_within_their_ranges(operator: str) -> None:
    known, kinds = option_defaults(operator), option_ranges(operator)
    needed = {
        n: "k.png" if kinds[n] is str else 1
        for n, v in known.items()
        if v is inspect.Parameter.empty
    }
    check_options(operator, {**known, **needed})


@pytest.mark.parametrize(
    ("method", "given", "sentence"),
    [
        ("matched_spectrum", {"sigma_min": -1}, "`sigma_min` must lie in [1e-06, 1000000], got -1"),
        ("diffpir", {"lam": 0}, "`lam` must lie in (0, 1000000], got 0"),
        ("dps", {"guidance": -1e30}, "`guidance` must lie in [0, 1000], got -1e+30"),
        ("daps", {"ode_steps": 0}, "`ode_steps` must lie in [1, 1000000], got 0"),
        ("pc", {"snr": 0}, "`snr` must lie in (0, 100], got 0"),
        ("smc", {"particles": 0}, "`particles` must lie in [1, 1000000], got 0"),
        ("hqs", {"sigma_max": 1e-9}, "`sigma_max` must lie in [1e-06, 1000000], got 1e-09"),
        ("langevin", {"step_size": 1e9}, "`step_size` must lie in (0, 100], got 1000000000.0"),
    ],
)
def test_methods_refuse_when_called(method: str, given: dict[str, Any], sentence: str) -> None:
    """By themselves, too, and before the first step."""
    for refuse in (METHODS[method].options, lambda g: METHODS[method].run(None, None, None, **g)):
        with pytest.raises(ValueError, match=re.escape(f"method {method!r}: {sentence}")):
            refuse(given)


def test_what_ranges_say() -> None:
    assert described(Level | None) == "[1e-06, 1000000]"
    assert described(Literal["a", "b", "c"]) == "a, b or c"
    assert described(bool) == ""
    assert fault(1, Share) is None
    assert fault(True, Share) == "must be a number"
    assert fault("x", Share | None) == "must be a number or none"
    assert fault(3, Literal["a", "b"]) == "must be a or b"


def test_types_of_a_function_that_has_them_for_checkers_alone() -> None:
    def own(*, steps: "Nowhere" = 1) -> None:  # type: ignore[name-defined]  # noqa: F821, UP037
        del steps

    assert hints(own) == {}
