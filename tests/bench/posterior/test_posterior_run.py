"""Planning, running, stopping and going on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from invscore.bench.posterior import PROBLEMS
from invscore.bench.posterior.cells import EXACT, Cell, Outcome, remember, remembered, run
from invscore.bench.posterior.run import MethodSetting, plan, run_cells
from invscore.engine import open_engine
from invscore.methods import METHODS

GAUSSIAN = [PROBLEMS["gaussian"]]


def small_plan(*methods: str, instances: int = 2) -> list[Cell]:
    methods = [MethodSetting(method) for method in methods]
    return plan(GAUSSIAN, methods, evaluations=[4], instances=instances, samples=30)


def test_steps_follow_from_evaluations() -> None:
    def steps(
        method: str,
        evaluations: int | None,
        samples: int = 100,
        measurements: int = 16,
        **options: int,
    ) -> int:
        setting = MethodSetting(method, options).at(evaluations, samples, measurements, 100)
        return setting.options["steps"]

    assert steps("dps", None) == METHODS["dps"].defaults["steps"]
    assert steps("dps", 60) == 60
    assert steps("langevin", 60) == 20
    assert steps("langevin", 60, per_level=5) == 12
    assert steps("daps", 3) == 1
    # Particle sets of 100 serve 100 samples at one evaluation each, and 150 at 4/3.
    assert steps("smc", 60, particles=100) == 60
    assert steps("smc", 60, samples=150, particles=100) == 45
    # Only for few measured numbers does `auto` have particles.
    assert steps("auto", 60, samples=10, particles=100) == 6
    assert steps("auto", 60, samples=10, particles=100, measurements=65) == 60


def test_a_plan_has_each_cell_once() -> None:
    cells = plan(
        GAUSSIAN,
        [MethodSetting("pigdm"), MethodSetting("ddrm", {"eta": 0.5})],
        evaluations=[None, 100, 20],
        instances=2,
        samples=None,
    )
    assert len(cells) == len({cell.file for cell in cells}) == 2 * (1 + 2 + 2)
    assert {cell.samples for cell in cells} == {GAUSSIAN[0].samples}
    assert {cell.options["eta"] for cell in cells if cell.method == "ddrm"} == {0.5}
    assert cells[0].method == EXACT


@pytest.mark.parametrize(
    ("method", "evaluations", "budgets"),
    [
        ("split_gibbs", [5, 10, 20, 50], {1: (5, 10, 20), 2: (50,)}),
        ("ddrm", [None, 20, 100], {20: (None, 20), 100: (100,)}),
        ("dps", [100, 20, 20], {100: (100,), 20: (20,)}),
    ],
)
def test_a_setting_knows_its_budgets(
    method: str, evaluations: list[int | None], budgets: dict[int, tuple[int | None, ...]]
) -> None:
    cells = plan(
        GAUSSIAN, [MethodSetting(method)], evaluations=evaluations, instances=1, samples=None
    )
    assert {cell.options["steps"]: cell.budgets for cell in cells[1:]} == budgets


def test_remembered_cells_serve_other_budgets(tmp_path: Path) -> None:
    before = Cell("gaussian", "split_gibbs", METHODS["split_gibbs"].options({}), 30, 0, 0, (20,))
    remember(Outcome(before, {"mean": 0.1}), tmp_path)
    again = remembered(replace(before, budgets=(5, 10)), tmp_path)
    assert again is not None
    assert again.cell.budgets == (5, 10)


@pytest.mark.parametrize("seed", [0, 1])
def test_populations_cost_what_is_planned(seed: int) -> None:
    """Whatever the seeds of an instance: none of them leaves a particle set half used."""
    method_setting = MethodSetting("smc", {"particles": 15})
    cells = plan(GAUSSIAN, [method_setting], evaluations=[4], instances=2, samples=30, seed=seed)
    for cell in cells:
        if cell.method != EXACT:
            assert run(cell).evaluations == pytest.approx(4)


def test_costs_are_counted_and_runs_repeat() -> None:
    cell = Cell("gaussian", "pigdm", METHODS["pigdm"].options({"steps": 5}), 30, 0, 0)
    outcome = run(cell)
    assert (outcome.evaluations, outcome.products) == (5, 5)
    assert outcome.seconds > 0
    assert replace(run(cell), seconds=outcome.seconds) == outcome
    assert run(replace(cell, instance=1)).scores != outcome.scores
    assert run(replace(cell, seed=5)).scores != outcome.scores


def test_outcomes_are_remembered(tmp_path: Path) -> None:
    cell = small_plan("pigdm")[1]
    outcome = Outcome(cell, {"mean": 0.1}, evaluations=4.0)
    assert remembered(cell, tmp_path) is None
    remember(outcome, tmp_path)
    assert remembered(cell, tmp_path) == outcome
    for change in ({"samples": 31}, {"seed": 1}, {"options": {**cell.options, "eta": 0.9}}):
        assert remembered(replace(cell, **change), tmp_path) is None


@pytest.mark.parametrize("text", ["", '{"scores": ', "[1]", '{"unknown": 1}', "\0"])
def test_a_torn_outcome_is_not_remembered(tmp_path: Path, text: str) -> None:
    cell = small_plan("dps")[0]
    (tmp_path / cell.file).write_text(text)
    assert remembered(cell, tmp_path) is None


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    cells = small_plan("pigdm", "ddrm")

    def interrupt(done: int, total: int) -> None:
        assert total == len(cells) == 6
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cells(cells, tmp_path / "stopped", on_cell=interrupt)
    assert len(list((tmp_path / "stopped").iterdir())) == 2
    told: list[tuple[int, int]] = []
    outcomes = run_cells(cells, tmp_path / "stopped", on_cell=lambda *state: told.append(state))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [outcome.cell for outcome in outcomes] == cells
    at_once = run_cells(cells, tmp_path / "at once")
    assert [outcome.scores for outcome in outcomes] == [outcome.scores for outcome in at_once]


def test_processes_give_the_same_numbers(tmp_path: Path) -> None:
    cells = small_plan("pigdm", instances=1)
    alone = run_cells(cells, tmp_path / "one")
    with open_engine(2) as engine:
        together = run_cells(cells, tmp_path / "two", engine=engine)
    for one, other in zip(alone, together, strict=True):
        assert one.cell == other.cell
        assert one.scores == pytest.approx(other.scores)


@pytest.mark.usefixtures("made_up")
def test_what_a_method_cannot_do_is_an_outcome(tmp_path: Path) -> None:
    astray = run_cells(small_plan("astray"), tmp_path)[1]
    assert "diverged: NaN or infinity" in astray.refusal
    assert astray.scores == {}
    cells = plan([PROBLEMS["nonlinear-banana"]], [MethodSetting("pigdm")], instances=1, samples=30)
    refused = run_cells(cells, tmp_path)[1]
    assert refused.refusal.startswith("pigdm needs a linear operator, given Banana")
