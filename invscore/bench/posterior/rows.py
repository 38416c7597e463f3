"""Rows of a run: a problem, a method and a metric, all instances together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from invscore.bench.posterior.cells import EXACT, Outcome
from invscore.bench.posterior.problem import PROBLEMS, Metric, Problem

FAR = 2.0
"""Ratio of a method's error to the floor beyond which it should have warned."""

Row = dict[str, Any]
"""``problem``, ``dim``, ``measurements``, ``noise``, ``method``, ``options``; ``budgets``, the
numbers of evaluations asked for that come to these options, ``None`` being the method's own number
of steps; ``samples``, ``instances``; for each sample ``evaluations`` and ``products``; ``seconds``
for an instance; ``metric``, ``value`` (the mean over instances), ``stderr`` (its standard error,
``None`` for one instance), ``error`` (the distance of the value from the metric's target),
``floor`` (the error that exact samples have), ``off``, the instances in which the distance is more
than ``FAR`` times that of exact samples, ``said``, those of them that came with a warning, and
``refusal``. Where a method refuses, numbers of quality are ``None``."""


def rows_of(outcomes: Sequence[Outcome]) -> list[Row]:
    """The rows of all methods, in the order of the outcomes."""
    groups: dict[tuple[str, str, str], list[Outcome]] = {}
    for outcome in outcomes:
        cell = outcome.cell
        groups.setdefault((cell.problem, cell.method, str(cell.options)), []).append(outcome)
    floors = {problem: group for (problem, method, _), group in groups.items() if method == EXACT}
    return [
        _row(PROBLEMS[problem], metric, group, floors[problem])
        for (problem, method, _), group in groups.items()
        if method != EXACT
        for metric in PROBLEMS[problem].metrics
    ]


def _row(
    problem: Problem, metric: Metric, group: Sequence[Outcome], floors: Sequence[Outcome]
) -> Row:
    cell = group[0].cell
    refusal = next((outcome.refusal for outcome in group if outcome.refusal), None)
    values = [] if refusal else [outcome.scores[metric.name] for outcome in group]
    value = float(np.mean(values)) if values else None
    far = [] if refusal else _far(metric, group, floors)
    return {
        "problem": problem.name,
        "dim": problem.dim,
        "measurements": problem.measurements,
        "noise": problem.noise,
        "method": cell.method,
        "options": cell.options,
        "budgets": list(cell.budgets),
        "samples": cell.samples,
        "instances": len(group),
        "evaluations": float(np.mean([outcome.evaluations for outcome in group])),
        "products": float(np.mean([outcome.products for outcome in group])),
        "seconds": float(np.mean([outcome.seconds for outcome in group])),
        "metric": metric.name,
        "value": value,
        "error": None if value is None else abs(value - metric.target),
        "stderr": standard_error(values),
        "floor": _floor(metric, [outcome.scores[metric.name] for outcome in floors]),
        "off": len(far),
        "said": sum(outcome.warned for outcome in far),
        "refusal": refusal,
    }


def _far(metric: Metric, group: Sequence[Outcome], floors: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes of ``group`` that are far from the posterior, by a metric of distance."""
    if metric.target != 0:
        return []
    floor = _floor(metric, [outcome.scores[metric.name] for outcome in floors])
    return [outcome for outcome in group if outcome.scores[metric.name] > FAR * floor]


def standard_error(values: Sequence[float]) -> float | None:
    """Standard error of the mean of ``values``; ``None`` for a single one."""
    return float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None


def _floor(metric: Metric, values: Iterable[float]) -> float:
    """The mean distance of exact samples; from a target other than 0, that of their mean (rms)."""
    away = np.array([value - metric.target for value in values])
    if metric.target == 0:
        return float(away.mean())
    return float(np.sqrt(np.mean(away**2) / len(away)))
