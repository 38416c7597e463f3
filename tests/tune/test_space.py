"""What is searched exists, and lies about the defaults."""

from __future__ import annotations

from typing import Any

import pytest

from invscore.baselines import BASELINES
from invscore.bench.imaging.algorithms import Algorithm
from invscore.methods import METHODS
from invscore.tune.space import SPACES, Span, Words, get_space, suggest

optuna = pytest.importorskip("optuna")

CASES = [(name, option) for name, space in SPACES.items() for option in space]


@pytest.mark.parametrize(("name", "option"), CASES)
def test_a_space_holds_the_default_of_an_option(name: str, option: str) -> None:
    known: dict[str, Algorithm] = {**METHODS, **BASELINES}
    default: Any = known[name].defaults[option]
    if default is None:  # DDIM's fresh noise where none is said
        default = {("pigdm", "eta"): 0.2}[name, option]
    searched = SPACES[name][option]
    if isinstance(searched, Words):
        assert default in searched.words
    else:
        assert type(default) is type(searched.low) is type(searched.high)
        assert searched.low <= default <= searched.high
        assert searched.low > 0 or not searched.log


def test_suggestions_have_three_digits_or_are_whole_or_words() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space = {"lam": Span(0.01, 100.0), "depth": Span(2, 6), "wavelet": Words(("haar", "sym8"))}
    found = [suggest(space, study.ask()) for _ in range(60)]
    lam = [each["lam"] for each in found]
    assert all(value == float(f"{value:.2e}") for value in lam)
    assert 15 < sum(value < 1 for value in lam) < 45, "evenly in the logarithm"
    assert {each["depth"] for each in found} == {2, 3, 4, 5, 6}
    assert {each["wavelet"] for each in found} == {"haar", "sym8"}


def test_a_method_of_which_nothing_is_tuned() -> None:
    with pytest.raises(ValueError, match="nothing of 'map' is tuned: it is of daps, "):
        get_space("map")
