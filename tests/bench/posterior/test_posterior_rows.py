"""From outcomes to rows, tables, figures and the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from invscore.bench.posterior.cells import EXACT, Cell, Outcome
from invscore.bench.posterior.figures import error_figure
from invscore.bench.posterior.page import write
from invscore.bench.posterior.rows import Row, rows_of, standard_error
from invscore.bench.posterior.tables import errors, refusals, summary
from invscore.methods import METHODS

SCHEMA: dict[str, type | tuple[type, ...]] = {
    "problem": str,
    "dim": int,
    "measurements": int,
    "noise": float,
    "method": str,
    "options": dict,
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
    "refusal": (str, type(None)),
}


def outcome(method: str, problem: str, instance: int, **scores: float) -> Outcome:
    options: dict[str, Any] = {} if method == EXACT else METHODS[method].options({"steps": 10})
    cell = Cell(problem, method, options, 100, instance, 0)
    refusal = "" if scores else "needs a linear operator"
    named = {name.replace("_", " "): value for name, value in scores.items()}
    cost = {} if method == EXACT else {"evaluations": 10.0, "products": 10.0, "seconds": 1.5}
    return Outcome(cell, named, refusal, **cost)


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


def test_the_summary(rows: list[Row]) -> None:
    columns, lines = summary(rows)
    assert columns[:3] == ["method", "field-blur", "nonlinear-banana"]
    assert lines[0][:3] == ["dps", "4.00", "4.00"]
    assert lines[1][:3] == ["pigdm", "1.00", "-"]
    assert refusals(rows) == [("nonlinear-banana", "pigdm", "needs a linear operator")]
    columns, lines = errors(rows, "mean")
    assert columns == ["method", "field-blur"]
    assert lines[:2] == [["floor", "0.2"], ["dps(steps=10)", "0.8 ± 0.1"]]


def test_methods_of_one_budget_stand_together(rows: list[Row]) -> None:
    # Where samples share particles, the same budget buys other steps on another problem.
    field = [row for row in rows if row["problem"] == "field-blur"]
    bent = [
        {**row, "options": {**row["options"], "steps": 5}}
        for row in rows
        if row["problem"] != "field-blur"
    ]
    more = [{**row, "options": {**row["options"], "steps": 40}} for row in field]
    _, lines = summary([*field, *more, *bent])
    assert [line[:3] for line in lines] == [
        ["dps", "4.00", "4.00"],
        ["pigdm", "1.00", "-"],
        ["pigdm", "1.00", "-"],
        ["dps", "4.00", "-"],
    ]


def test_the_page(rows: list[Row], tmp_path: Path) -> None:
    content: dict[str, Any] = {"rows": rows, "command": "invscore bench", "instances": 2}
    content |= {"seed": 0, "versions": {}, "ranks": {"sbc-gaussian": {"dps": [0.2] + 8 * [0.1]}}}
    write(content, tmp_path / "posterior.md")
    text = (tmp_path / "posterior.md").read_text()
    assert "| dps(steps=10) | 0.8 ± 0.1 |" in text
    assert "| nonlinear-banana | pigdm | needs a linear operator |" in text
    for name in ("posterior-error.png", "posterior-calibration.png", "posterior-ranks.png"):
        assert f"({name})" in text
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_errors_are_drawn_by_method_or_against_evaluations(rows: list[Row], tmp_path: Path) -> None:
    longer = [{**row["options"], "steps": 20} for row in rows]
    more = [{**row, "options": options} for row, options in zip(rows, longer, strict=True)]
    widths = []
    for some in (rows, [*rows, *more]):
        error_figure(some, tmp_path / "error.png")
        widths.append(int.from_bytes((tmp_path / "error.png").read_bytes()[16:20]))
    assert widths == [round(150 * 6.5), round(150 * (2 * 4.2 + 1.6))]
