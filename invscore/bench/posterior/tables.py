"""Rows as tables: how many times the floor a method's error is, and at what cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from invscore.bench.posterior.problem import PROBLEMS
from invscore.bench.posterior.rows import Row
from invscore.methods import get_method

MANY = 3
"""Problems that a table shows side by side; of more, it shows the families."""


def primary(rows: Iterable[Row]) -> list[Row]:
    """The rows of each problem's first metric."""
    return [row for row in rows if row["metric"] == PROBLEMS[row["problem"]].metrics[0].name]


def label(row: Row, *, steps: bool = True) -> str:
    """The method, with those options that are not its defaults, and with its steps or without."""
    known = get_method(row["method"]).defaults
    shown = [
        f"{name}={value}"
        for name, value in row["options"].items()
        if (steps if name == "steps" else value != known[name])
    ]
    return f"{row['method']}({', '.join(shown)})" if shown else row["method"]


def summary(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Columns and lines: error over floor, a geometric mean over the problems of each column.

    Then the cost: ``evals`` of the denoiser, products with its Jacobian ``J``, and seconds, means
    over the problems that are served. Methods come from the nearest to the floor to the farthest;
    those that serve only some of the problems come after those that serve more.
    """
    chosen = primary(rows)
    names = list(dict.fromkeys(row["problem"] for row in chosen))
    heads = {name: name if len(names) <= MANY else PROBLEMS[name].family for name in names}
    columns = list(dict.fromkeys(heads.values()))
    lines = []
    for name in dict.fromkeys(map(label, chosen)):
        mine = [row for row in chosen if label(row) == name]
        ratios = [ratio_of([r for r in mine if heads[r["problem"]] == c]) for c in columns]
        order = (-sum(ratio is not None for ratio in ratios), ratio_of(mine) or math.inf)
        costs = [_mean(mine, key) for key in ("evaluations", "products", "seconds")]
        numbers = ["-" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
        lines.append((order, [label(mine[0], steps=False), *numbers, *costs]))
    head = ["method", *columns, "evals", "J", "seconds"]
    return head, [line for _, line in sorted(lines, key=lambda line: line[0])]


def ratio_of(rows: Sequence[Row]) -> float | None:
    """The geometric mean of error over floor; ``None`` where the method has refused one."""
    if not rows or any(row["error"] is None for row in rows):
        return None
    logs = [math.log(max(row["error"], 1e-12) / max(row["floor"], 1e-12)) for row in rows]
    return math.exp(sum(logs) / len(logs))


def errors(rows: Sequence[Row], metric: str) -> tuple[list[str], list[list[str]]]:
    """Columns and lines for problems of the same metric: every error with its standard error.

    The first line is the floor.
    """
    chosen = [row for row in rows if row["metric"] == metric]
    names = list(dict.fromkeys(row["problem"] for row in chosen))
    floors = {row["problem"]: f"{row['floor']:.3g}" for row in chosen}
    lines = [["floor", *(floors[name] for name in names)]]
    for method in dict.fromkeys(map(label, chosen)):
        found = {row["problem"]: _error(row) for row in chosen if label(row) == method}
        lines.append([method, *(found.get(name, "") for name in names)])
    return ["method", *names], lines


def refusals(rows: Iterable[Row]) -> list[tuple[str, str, str]]:
    """Problem, method and the reason, one for each that refused."""
    found = ((row["problem"], label(row), row["refusal"]) for row in rows if row["refusal"])
    return list(dict.fromkeys(found))


def _error(row: Row) -> str:
    if row["error"] is None:
        return "-"
    spread = "" if row["stderr"] is None else f" ± {row['stderr']:.2g}"
    return f"{row['error']:.3g}{spread}"


def _mean(rows: Sequence[Row], key: str) -> str:
    served = [row[key] for row in rows if row["error"] is not None]
    return f"{sum(served) / len(served):.3g}" if served else "-"
