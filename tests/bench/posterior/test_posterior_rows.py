"""From outcomes to rows, tables, figures and the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from invscore.bench.posterior.cells import EXACT, Cell, Outcome
from invscore.bench.posterior.figures import _coverages, _curves, error_figure
from invscore.bench.posterior.page import write
from invscore.bench.posterior.rows import Row, rows_of, standard_error
from invscore.bench.posterior.tables import by_budget, by_reason, family, refusals, summary
from invscore.methods import METHODS

SCHEMA: dict[str, type | tuple[type, ...]] = {
    "problem": str,
    "dim": int,
    "measurements": int,
    "noise": float,
    "method": str,
    "options": dict,
    "budgets": list,
    "samples": int,
    "instances": int,
    "evaluations": float,
    "products": float,
    "seconds": float,
    "metric": str,
    "value": (float, type(None)),
    "error": (float, type(None)),
    "stderr": (float, type(None)),
    "floor": float,
    "off": int,
    "said": int,
    "refusal": (str, type(None)),
}


def outcome(method: str, problem: str, instance: int, **scores: float) -> Outcome:
    options: dict[str, Any] = {} if method == EXACT else METHODS[method].options({"steps": 10})
    cell = Cell(problem, method, options, 100, instance, 0, (10,))
    refusal = "" if scores else "needs a linear operator"
    named = {name.replace("_", " "): value for name, value in scores.items()}
    cost = {} if method == EXACT else {"evaluations": 10.0, "products": 10.0, "seconds": 1.5}
    return Outcome(cell, named, refusal, **cost)


def at(rows: list[Row], *budgets: int | None, **options: int) -> list[Row]:
    """The same rows for other budgets and options."""
    return [
        {**row, "budgets": list(budgets), "options": {**row["options"], **options}} for row in rows
    ]


@pytest.fixture
def rows() -> list[Row]:
    field, bent = "field-blur", "nonlinear-banana"
    return rows_of(
        [
            outcome(EXACT, field, 0, marginals=0.2, mean=0.1, variance=0.2, coverage=0.91),
            outcome(EXACT, field, 1, marginals=0.2, mean=0.3, variance=0.2, coverage=0.87),
            outcome("dps", field, 0, marginals=0.8, mean=0.7, variance=0.8, coverage=0.5),
            outcome("dps", field, 1, marginals=0.8, mean=0.9, variance=0.8, coverage=0.7),
            outcome("pigdm", field, 0, marginals=0.2, mean=0.2, variance=0.2, coverage=0.9),
            outcome("pigdm", field, 1, marginals=0.2, mean=0.2, variance=0.2, coverage=0.9),
            outcome(EXACT, bent, 0, sliced_W1=0.05, mode_weights=0.01),
            outcome("dps", bent, 0, sliced_W1=0.20, mode_weights=0.02),
            outcome("pigdm", bent, 0),
        ]
    )


def find(rows: list[Row], problem: str, method: str, metric: str) -> Row:
    (row,) = (
        row
        for row in rows
        if (row["problem"], row["method"], row["metric"]) == (problem, method, metric)
    )
    return row


def test_the_schema(rows: list[Row]) -> None:
    assert len(rows) == 2 * 4 + 2 * 2
    for row in json.loads(json.dumps(rows, allow_nan=False)):
        assert row.keys() == SCHEMA.keys()
        for name, kind in SCHEMA.items():
            assert isinstance(row[name], kind), name


def test_errors_and_floors(rows: list[Row]) -> None:
    row = find(rows, "field-blur", "dps", "mean")
    assert (row["error"], row["floor"]) == (pytest.approx(0.8), pytest.approx(0.2))
    assert row["stderr"] == pytest.approx(0.1)
    assert (row["evaluations"], row["seconds"], row["instances"]) == (10, 1.5, 2)
    coverage = find(rows, "field-blur", "dps", "coverage")
    assert (coverage["value"], coverage["error"]) == (pytest.approx(0.6), pytest.approx(0.3))
    # The rms deviation of one exact value, 0.01 and 0.03, over the root of two instances.
    assert coverage["floor"] == pytest.approx(((0.01**2 + 0.03**2) / 2 / 2) ** 0.5)
    refused = find(rows, "nonlinear-banana", "pigdm", "sliced W1")
    assert (refused["error"], refused["value"], refused["stderr"]) == (None, None, None)
    assert refused["refusal"] == "needs a linear operator"
    assert refused["floor"] == 0.05
    assert standard_error([1.0]) is None


def test_who_says_so() -> None:
    """Warned of by one of the two that are off, and by one that is not."""
    results = [outcome(EXACT, "field-blur", k, marginals=0.2, mean=0.1, variance=0.2, coverage=0.9)
               for k in range(3)]  # fmt: skip
    for k, marginals in enumerate((0.3, 0.5, 0.6)):
        found = outcome("dps", "field-blur", k, marginals=marginals, mean=0.1, variance=0.2,
                        coverage=0.5)  # fmt: skip
        results.append(replace(found, warned=k < 2))
    rows = rows_of(results)
    row = find(rows, "field-blur", "dps", "marginals")
    assert (row["off"], row["said"]) == (2, 1)
    assert find(rows, "field-blur", "dps", "coverage")["off"] == 0
    columns, (line,) = summary(rows)
    assert dict(zip(columns, line, strict=True))["said so"] == "1 of 2"


def test_the_summary(rows: list[Row]) -> None:
    columns, lines = summary(rows)
    assert columns[:3] == ["method", "field-blur", "nonlinear-banana"]
    assert lines[0][:3] == ["dps", "4.00", "4.00"]
    assert lines[1][:3] == ["pigdm", "1.00", "-"]
    assert refusals(rows) == [("nonlinear-banana", "pigdm", "needs a linear operator")]


def test_the_table_of_a_family(rows: list[Row]) -> None:
    """The nearest to the floor first, with their mean coverage, and weights of modes elsewhere."""
    columns, lines = family(rows, "field")
    assert columns == ["method", "field-blur", "coverage"]
    assert lines == [
        ["floor", "0.2", "0.9"],
        ["pigdm", "1.00", "0.9"],
        ["dps", "4.00", "0.6"],
    ]
    columns, lines = family(rows, "nonlinear")
    assert columns == ["method", "nonlinear-banana", "mode weights"]
    assert lines == [["floor", "0.05", "0.01"], ["dps", "4.00", "0.02"], ["pigdm", "-", "-"]]
    columns, lines = family([*rows, *at(rows, None, steps=50)], "field")
    assert columns == ["method", "evals", "field-blur", "coverage"]
    assert [line[:2] for line in lines] == [
        ["floor", ""],
        ["pigdm(steps=50)", "default"],
        ["dps(steps=50)", "default"],
        ["pigdm", "10"],
        ["dps", "10"],
    ]


def test_refusals_of_one_reason_stand_together(rows: list[Row]) -> None:
    also = [{**row, "problem": "nonlinear-phase"} for row in rows if row["refusal"]]
    assert by_reason([*rows, *also]) == [
        ("pigdm", "needs a linear operator", "nonlinear-banana, nonlinear-phase")
    ]


def test_methods_of_one_budget_stand_together(rows: list[Row]) -> None:
    # Where samples share particles, the same budget buys other steps on another problem.
    field = [row for row in rows if row["problem"] == "field-blur"]
    bent = [row for row in rows if row["problem"] != "field-blur"]
    more = at(field, 100, steps=40)
    _, lines = summary([*more, *at(field, 20, steps=10), *at(bent, 20, steps=5)])
    assert [line[:3] for line in lines] == [
        ["dps", "4.00", "4.00"],
        ["pigdm", "1.00", "-"],
        ["pigdm", "1.00", "-"],
        ["dps", "4.00", "-"],
    ]


def test_a_row_is_among_those_of_each_of_its_budgets(rows: list[Row]) -> None:
    field = [row for row in rows if (row["problem"], row["metric"]) == ("field-blur", "mean")]
    dps, pigdm = field[:1], field[1:]
    merged = [*at(dps, None, 20, steps=20), *at(dps, 100, steps=100), *at(pigdm, 20, steps=20)]
    assert {key: len(group) for key, group in by_budget(merged).items()} == {
        (0, "dps(steps=20)"): 1,
        (20, "dps"): 1,
        (100, "dps"): 1,
        (20, "pigdm"): 1,
    }
    # The method's own number of steps is not named; others are, so that they stand apart.
    own = METHODS["dps"].defaults["steps"]
    several = [*at(dps, None, steps=own), *at(dps, None, steps=20), *at(dps, None, steps=40)]
    names = ["dps", "dps(steps=20)", "dps(steps=40)"]
    assert list(by_budget(several)) == [(0, name) for name in names]


def test_the_page(rows: list[Row], tmp_path: Path) -> None:
    content: dict[str, Any] = {"rows": rows, "command": "invscore bench", "instances": 2}
    content |= {"seed": 0, "versions": {}, "ranks": {"sbc-gaussian": {"dps": [0.2] + 8 * [0.1]}}}
    write(content, tmp_path / "posterior.md")
    text = (tmp_path / "posterior.md").read_text()
    assert "| dps | 4.00 | 0.6 |" in text
    assert "| pigdm | needs a linear operator | nonlinear-banana |" in text
    assert "Errors are means over 2 instances." in " ".join(text.split())
    assert text.index("said so") < text.index("![Error over floor") < text.index("## Field")
    write({**content, "instances": 1}, tmp_path / "one.md")
    alone = (tmp_path / "one.md").read_text()
    assert "Errors are means over one instance." in " ".join(alone.split())
    for name in ("posterior-error.png", "posterior-calibration.png", "posterior-ranks.png"):
        assert f"({name})" in text
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_errors_are_drawn_by_method_or_against_evaluations(rows: list[Row], tmp_path: Path) -> None:
    widths = []
    for some in (rows, [*rows, *at(rows, 20, steps=20)]):
        error_figure(some, tmp_path / "error.png")
        widths.append(int.from_bytes((tmp_path / "error.png").read_bytes()[16:20]))
    assert widths == [round(150 * 6.5), round(150 * (2 * 4.2 + 1.6))]


def test_curves_have_no_point_where_the_table_has_a_dash(rows: list[Row]) -> None:
    refused = {"error": None, "value": None, "evaluations": 0.0, "refusal": "not finite: mean"}
    blur = find(rows, "field-blur", "dps", "marginals")  # error over floor: 4
    mask = {**blur, "problem": "field-mask", "error": 16 * blur["error"]}
    small, large = at([blur, mask], 20), at([blur, mask], 50, steps=50)
    large = [{**row, "evaluations": cost} for row, cost in zip(large, (50.0, 70.0), strict=True)]
    one, other = (10.0, pytest.approx(16)), (60.0, pytest.approx(16))
    assert _curves([*small, *large]) == {"field": {"dps": [one, other]}}
    assert _curves([small[0], {**small[1], **refused}, *large]) == {"field": {"dps": [other]}}
    assert _curves([*small, {**large[0], **refused}, large[1]]) == {"field": {"dps": [one]}}
    assert _curves([{**row, **refused} for row in small]) == {"field": {}}


def test_a_figure_of_nothing_but_refusals(rows: list[Row], tmp_path: Path) -> None:
    refused = [{**row, "error": None, "value": None} for row in rows]
    for number, some in enumerate((refused, [*refused, *at(refused, 20, steps=20)])):
        error_figure(some, tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").exists()


def test_coverage_is_that_of_the_largest_budget(rows: list[Row]) -> None:
    covered = [row for row in rows if row["metric"] == "coverage"]
    small = at([{**row, "value": 0.1} for row in covered], None, 20, steps=20)
    dps, pigdm = at(covered, 100, steps=50)
    marks = [(pytest.approx(0.6), "dps"), (pytest.approx(0.9), "pigdm")]
    assert _coverages([*small, dps, pigdm]) == {"field-blur": marks}
    assert _coverages([dps, pigdm, *small]) == {"field-blur": marks}
    assert _coverages([*small, {**dps, "value": None}, pigdm]) == {"field-blur": marks[1:]}
    assert _coverages(rows) == {"field-blur": marks}
