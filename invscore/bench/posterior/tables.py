"""Rows as tables: how many times the floor a method's error is, and at what cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from invscore.bench.posterior.metrics import COVERAGE, WEIGHTS
from invscore.bench.posterior.problem import PROBLEMS
from invscore.bench.posterior.rows import Row
from invscore.methods import get_method

DEFAULT = "default"
"""Heading of a method at its own number of steps."""
MANY = 3
"""Most problems that a table shows side by side; of more, it shows their families."""


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


def by_budget(rows: Iterable[Row]) -> dict[tuple[int, str], list[Row]]:
    """The rows of each method at each budget of evaluations, by the budget and the ``label``.

    A row of several budgets is among those of each. The method's own number of steps is budget 0;
    only there a label has steps, if they are not the default: those that a budget buys differ
    between problems where samples share particles.
    """
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        default = get_method(row["method"]).defaults["steps"]
        for budget in row["budgets"]:
            chosen = budget is None and row["options"]["steps"] != default
            groups.setdefault((budget or 0, label(row, steps=chosen)), []).append(row)
    return groups


def summary(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Columns and lines: error over floor, a geometric mean over the problems of each column.

    Then the cost: ``evals`` of the denoiser, products with its Jacobian ``J``, and seconds, means
    over the problems that are served; and ``said so``: of the instances in which a method was more
    than two floors off, those in which it gave a warning. Budget after budget, the smallest first,
    methods come from the nearest to the floor to the farthest; those that serve only some of the
    problems after those that serve more.
    """
    chosen = primary(rows)
    names = list(dict.fromkeys(row["problem"] for row in chosen))
    heads = {name: name if len(names) <= MANY else PROBLEMS[name].family for name in names}
    columns = list(dict.fromkeys(heads.values()))
    lines = []
    for (budget, name), mine in by_budget(chosen).items():
        ratios = [ratio_of([r for r in mine if heads[r["problem"]] == c]) for c in columns]
        served = sum(ratio is not None for ratio in ratios)
        costs = [_mean(mine, key) for key in ("evaluations", "products", "seconds")]
        numbers = [_ratio(ratio) for ratio in ratios]
        order = (budget, -served, ratio_of(mine) or math.inf)
        off, said = (sum(row.get(key, 0) for row in mine) for key in ("off", "said"))
        lines.append((order, [name, *numbers, *costs, f"{said} of {off}"]))
    head = ["method", *columns, "evals", "J", "seconds", "said so"]
    return head, [line for _, line in sorted(lines, key=lambda line: line[0])]


def ratio_of(rows: Sequence[Row]) -> float | None:
    """The geometric mean of error over floor; ``None`` where the method has refused one."""
    if not rows or any(row["error"] is None for row in rows):
        return None
    return _geometric([max(row["error"], 1e-12) / max(row["floor"], 1e-12) for row in rows])


def family(rows: Sequence[Row], name: str) -> tuple[list[str], list[list[str]]]:
    """Columns and lines of a family: error over floor for each problem, by its first metric.

    The first line is the floor itself. Where problems measure them, columns follow with the
    coverage of intervals and the total variation of the weights of modes, means over the problems
    that the method serves. Methods come as in the summary.
    """
    mine = [row for row in rows if PROBLEMS[row["problem"]].family == name]
    chosen = primary(mine)
    problems = list(dict.fromkeys(row["problem"] for row in chosen))
    floors = {row["problem"]: f"{row['floor']:.3g}" for row in chosen}
    further = {
        metric: found
        for metric in (COVERAGE, WEIGHTS)
        if (found := [row for row in mine if row["metric"] == metric.name])
    }
    several = len({budget for budget, _ in by_budget(chosen)}) > 1
    lines = []
    for (budget, method), group in by_budget(chosen).items():
        ratios = [ratio_of([row for row in group if row["problem"] == each]) for each in problems]
        served = [ratio for ratio in ratios if ratio is not None]
        order = (budget, -len(served), _geometric(served))
        means = [_mean(by_budget(found)[budget, method], "value") for found in further.values()]
        evals = [str(budget or DEFAULT)] if several else []
        lines.append((order, [method, *evals, *map(_ratio, ratios), *means]))
    ideal = [
        f"{metric.target:g}" if metric.target else _mean(found, "floor")
        for metric, found in further.items()
    ]
    first = ["floor", *([""] if several else []), *(floors[each] for each in problems), *ideal]
    columns = ["method", *(["evals"] if several else []), *problems, *(m.name for m in further)]
    return columns, [first, *(line for _, line in sorted(lines, key=lambda line: line[0]))]


def refusals(rows: Iterable[Row]) -> list[tuple[str, str, str]]:
    """Problem, the methods that refused it for the same reason, and the reason.

    Without the advice which other methods to take: they are all in the table.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["refusal"]:
            reason = row["refusal"].partition(": the methods ")[0].removeprefix(f"{row['method']} ")
            groups.setdefault((row["problem"], reason), []).append(label(row, steps=False))
    return [
        (problem, ", ".join(dict.fromkeys(methods)), reason)
        for (problem, reason), methods in groups.items()
    ]


def by_reason(rows: Iterable[Row]) -> list[tuple[str, str, str]]:
    """The methods that refused the same problems for the same reason, the reason and the
    problems."""
    groups: dict[tuple[str, str], list[str]] = {}
    for problem, methods, reason in refusals(rows):
        groups.setdefault((methods, reason), []).append(problem)
    return [(methods, reason, ", ".join(found)) for (methods, reason), found in groups.items()]


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return f"{ratio:.2f}" if ratio < 1e4 else f"{ratio:.0e}"


def _geometric(ratios: Sequence[float]) -> float:
    """Their geometric mean; infinite where there is none."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else math.inf


def _mean(rows: Sequence[Row], key: str) -> str:
    served = [row[key] for row in rows if row["error"] is not None]
    return f"{sum(served) / len(served):.3g}" if served else "-"
