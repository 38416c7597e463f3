"""Pictures of the rows: error against evaluations, and calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from invscore.bench.posterior.metrics import COVERAGE, CREDIBLE
from invscore.bench.posterior.problem import PROBLEMS
from invscore.bench.posterior.rows import Row
from invscore.bench.posterior.tables import by_budget, primary, ratio_of
from invscore.driver import DEFAULT_METHOD
from invscore.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150
WIDTH, HEIGHT = 4.2, 3.4  # inches of a panel
ACROSS = 3
"""Panels in a row of a figure."""
FARTHEST = 1000.0
"""Largest error over the floor that is drawn: methods that diverged are drawn here."""
MARKERS = "osD^v<>Pp*hX"

Marks = list[tuple[float, str]]
"""Positions on an axis, each with the name of its method."""
Curves = dict[str, list[tuple[float, float]]]
"""Evaluations and the ratio of error to floor, points of each method."""


def error_figure(rows: Sequence[Row], path: Path) -> None:
    """Error over floor: a panel for each family of problems, against evaluations.

    Of one budget, a line of marks for each method, one a family.
    """
    several = len({budget for budget, _ in by_budget(rows)}) > 1
    (_by_evaluations if several else _by_method)(_curves(rows), path)


def _by_evaluations(families: dict[str, Curves], path: Path) -> None:
    # Half a second to import; a Figure without pyplot needs no display.
    from matplotlib.figure import Figure

    methods = list(dict.fromkeys(method for curves in families.values() for method in curves))
    down, across = math.ceil(len(families) / ACROSS), min(len(families), ACROSS)
    size = (WIDTH * across + 1.6, max(HEIGHT * down, 0.14 * len(methods)))
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    for place, (family, curves) in enumerate(families.items()):
        axes = figure.add_subplot(down, across, place + 1)
        for number, method in enumerate(methods):
            points = sorted(curves.get(method, []))
            axes.plot(
                [cost for cost, _ in points],
                [ratio for _, ratio in points],
                marker=MARKERS[number % len(MARKERS)],
                markersize=4,
                linewidth=3 if method == DEFAULT_METHOD else 1,
                color=f"C{number % 10}",
                linestyle=("-", "--", ":")[number // 10 % 3],
                label=method,
            )
        axes.axhline(1, color="black", linewidth=1, label="floor")
        axes.set(xscale="log", yscale="log", title=family)
        if place % across == 0:
            axes.set_ylabel("error / floor")
        if place + across >= len(families):
            axes.set_xlabel("denoiser evaluations")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=6, frameon=False)
    _save(figure, path)


def _by_method(families: dict[str, Curves], path: Path) -> None:
    marks: dict[str, Marks] = {
        family: [
            (min(ratio, FARTHEST), name) for name, points in curves.items() for _, ratio in points
        ]
        for family, curves in families.items()
    }
    worst: dict[str, float] = {}
    for ratio, name in (mark for each in marks.values() for mark in each):
        worst[name] = max(ratio, worst.get(name, 0.0))
    names = sorted(worst, key=worst.__getitem__)
    _dots(
        marks, names, path, line=1.0, xscale="log", xlabel=f"error / floor (at most {FARTHEST:.0f})"
    )


def calibration_figure(rows: Sequence[Row], path: Path) -> None:
    """The coverage of 90 % intervals by method, a mark for each problem that measures it.

    At the largest budget of evaluations.
    """
    marks = _coverages(rows)
    names = list(dict.fromkeys(name for mine in marks.values() for _, name in mine))
    axis = {"xlim": (0, 1), "xlabel": "coverage of 90 % intervals"}
    _dots(marks, names, path, line=CREDIBLE, **axis)


def _coverages(rows: Sequence[Row]) -> dict[str, Marks]:
    """The marks of each problem, at the largest budget."""
    groups = by_budget(row for row in rows if row["metric"] == COVERAGE.name)
    largest = max((budget for budget, _ in groups), default=0)
    marks: dict[str, Marks] = {}
    for (budget, name), mine in groups.items():
        for row in mine:
            if budget == largest and row["value"] is not None:
                marks.setdefault(row["problem"], []).append((row["value"], name))
    return marks


def _dots(
    marks: dict[str, Marks], names: Sequence[str], path: Path, *, line: float, **axis: Any
) -> None:
    """A line for each of ``names``, a colour for each key of ``marks``; where the best is, a
    ``line``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 1 + 0.2 * max(len(names), 5)), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for number, (mark, mine) in enumerate(marks.items()):
        axes.plot(
            [value for value, _ in mine],
            [names.index(name) for _, name in mine],
            linestyle="none",
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            label=mark,
        )
    axes.axvline(line, color="black", linewidth=1)
    axes.set(**axis)
    axes.set_yticks(np.arange(len(names)), names, fontsize=7)
    axes.grid(axis="y", linewidth=0.3)
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=4, fontsize=7, frameon=False)
    _save(figure, path)


def _families(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each family of problems."""
    families: dict[str, list[Row]] = {}
    for row in rows:
        families.setdefault(PROBLEMS[row["problem"]].family, []).append(row)
    return families


def _curves(rows: Sequence[Row]) -> dict[str, Curves]:
    """Curves of each family of problems, with a point where a method has refused none of them."""
    families: dict[str, Curves] = {}
    for family, members in _families(primary(rows)).items():
        curves = families.setdefault(family, {})
        for (_, method), mine in by_budget(members).items():
            ratio = ratio_of(mine)
            if ratio is not None:
                cost = float(np.mean([row["evaluations"] for row in mine]))
                curves.setdefault(method, []).append((cost, ratio))
    return families


def _save(figure: Figure, path: Path) -> None:
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png")
