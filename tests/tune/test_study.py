"""The search on functions whose optimum is known; stopping it and going on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from invscore.driver import NumericalError
from invscore.tune.space import Space, Span
from invscore.tune.study import best, open_study, search

optuna = pytest.importorskip("optuna")

SPACE: Space = {"lam": Span(0.01, 100.0)}
DEFAULT = 50.0
IMAGES = 3


def score(index: int, options: Mapping[str, Any]) -> float:
    """Best at lam = 1, and another height for each image: what has seen one only looks better."""
    return 60.0 - 20 * index - math.log10(options.get("lam", DEFAULT)) ** 2


def run(file: Path, trials: int, function: Any = score, seed: int = 0, **more: Any) -> Any:
    study = open_study("blur", file)
    search(study, SPACE, function, images=IMAGES, trials=trials, seed=seed, **more)
    return study


def tried(study: Any) -> list[dict[str, Any]]:
    return [t.user_attrs["options"] for t in study.trials if t.state.name != "FAIL"]


def test_the_optimum_is_found(tmp_path: Path) -> None:
    found = best(run(tmp_path / "j", 25), 25)
    assert found is not None
    assert found.trials == 25
    assert found.default == pytest.approx(40 - math.log10(DEFAULT) ** 2)
    assert abs(math.log10(found.options["lam"])) < 0.15
    assert found.score == pytest.approx(40 - math.log10(found.options["lam"]) ** 2)


def test_trials_that_fall_behind_end_early(tmp_path: Path) -> None:
    calls: list[int] = []

    def counted(index: int, options: Mapping[str, Any]) -> float:
        calls.append(index)
        return score(index, options)

    ticks: list[int] = []
    study = run(tmp_path / "j", 20, counted, on_image=ticks.append)
    pruned = [trial for trial in study.trials if trial.state.name == "PRUNED"]
    assert pruned
    assert len(calls) < 20 * IMAGES
    assert calls.count(0) == calls.count(1) == 20, "one image alone does not tell"
    assert sum(ticks) == 20 * IMAGES
    assert best(study, 20) == best(run(tmp_path / "j", 20, ticks.append), 20)


def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = tried(run(tmp_path / "whole", 9))
    left = [7]

    def interrupted(index: int, options: Mapping[str, Any]) -> float:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return score(index, options)

    for calls in (1, 7, 5):
        left[0] = calls
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "parts", 9, interrupted)
    assert tried(run(tmp_path / "parts", 9)) == whole
    assert len({str(options) for options in whole}) == 9
    assert tried(run(tmp_path / "other", 3, seed=1)) != whole[:3]
    assert tried(run(tmp_path / "parts", 4)) == whole, "fewer trials take none away"


def test_a_longer_search_before_does_not_count(tmp_path: Path) -> None:
    study = run(tmp_path / "j", 15)
    assert best(study, 4) == best(run(tmp_path / "short", 4), 4) != best(study, 15)


def test_nothing_found_before_the_first_score(tmp_path: Path) -> None:
    assert best(open_study("blur", tmp_path / "j"), 5) is None


def test_defaults_that_nothing_beats(tmp_path: Path) -> None:
    found = best(run(tmp_path / "j", 5, lambda index, options: -len(options)), 5)
    assert found is not None
    assert found.options == {}
    assert found.score == found.default == 0


def test_options_that_give_no_number(tmp_path: Path) -> None:
    def fragile(index: int, options: Mapping[str, Any]) -> float:
        if "lam" not in options:
            raise NumericalError("the state diverged")
        if options["lam"] > 1:
            raise ValueError("lam is too large")
        return score(index, options) if options["lam"] < 0.5 else math.nan

    found = best(run(tmp_path / "j", 12, fragile), 12)
    assert found is not None
    assert found.default is None
    assert found.options["lam"] < 0.5
    assert found.trials == 12


def test_defaults_that_are_refused(tmp_path: Path) -> None:
    def refusing(*_: Any) -> float:
        raise ValueError("ddrm needs an SVD")

    with pytest.raises(ValueError, match="ddrm needs an SVD"):
        run(tmp_path / "j", 5, refusing)
