"""Pictures of the rows: error against evaluations, and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from invscore.bench.posterior.metrics import COVERAGE, CREDIBLE
from invscore.bench.posterior.problem import PROBLEMS
from invscore.bench.posterior.rows import Row
from invscore.bench.posterior.tables import primary, ratio_of
from invscore.files import atomic_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 150
WIDTH, HEIGHT = 4.2, 3.4  # inches of a panel
MARKERS = "osD^v<>Pp*hX"

Marks = list[tuple[float, str]]
"""Numbers, and the methods that they are of."""


def error_figure(rows: Sequence[Row], path: Path) -> None:
    """Error over floor: a panel for each family of problems, against evaluations.

    Where every method has one number of them, a line of marks for each method, one a family.
    """
    chosen = [row for row in primary(rows) if row["error"] is not None]
    settings = {(row["method"], str(row["options"])) for row in chosen}
    alone = len(settings) == len({method for method, _ in settings})
    (_by_method if alone else _by_evaluations)(chosen, path)


def _by_evaluations(chosen: Sequence[Row], path: Path) -> None:
    # Half a second to import; a Figure without pyplot needs no display.
    from matplotlib.figure import Figure

    families = _families(chosen)
    methods = _methods(chosen)
    figure = Figure(figsize=(WIDTH * len(families) + 1.6, HEIGHT), dpi=DPI, layout="constrained")
    for place, (family, members) in enumerate(families.items()):
        axes = figure.add_subplot(1, len(families), place + 1)
        for number, method in enumerate(methods):
            points = sorted(_points([row for row in members if row["method"] == method]))
            axes.plot(
                [cost for cost, _ in points],
                [ratio for _, ratio in points],
                marker=MARKERS[number % len(MARKERS)],
                markersize=4,
                linewidth=1,
                color=f"C{number % 10}",
                linestyle="-" if number < 10 else "--",
                label=method,
            )
        axes.axhline(1, color="black", linewidth=1, label="floor")
        axes.set(xscale="log", yscale="log", title=family, xlabel="denoiser evaluations")
    figure.axes[0].set_ylabel("error / floor")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=6, frameon=False)
    _save(figure, path)


def _by_method(chosen: Sequence[Row], path: Path) -> None:
    marks: dict[str, Marks] = {}
    for family, members in _families(chosen).items():
        each = {
            name: [row for row in members if row["method"] == name] for name in _methods(chosen)
        }
        ratios = {name: ratio_of(mine) for name, mine in each.items() if mine}
        marks[family] = [(ratio, name) for name, ratio in ratios.items() if ratio is not None]
    worst: dict[str, float] = {}
    for ratio, name in (mark for each in marks.values() for mark in each):
        worst[name] = max(ratio, worst.get(name, 0.0))
    names = sorted(worst, key=worst.__getitem__)
    _dots(marks, names, path, line=1.0, xscale="log", xlabel="error / floor")


def calibration_figure(rows: Sequence[Row], path: Path) -> None:
    """The coverage of 90 % intervals by method, a mark for each problem that measures it."""
    chosen = [row for row in rows if row["metric"] == COVERAGE.name and row["value"] is not None]
    marks: dict[str, Marks] = {}
    for row in chosen:
        marks.setdefault(row["problem"], []).append((row["value"], row["method"]))
    label = "coverage of 90 % intervals"
    _dots(marks, _methods(chosen), path, line=CREDIBLE, xlim=(0, 1), xlabel=label)


def _dots(
    marks: dict[str, Marks], names: Sequence[str], path: Path, *, line: float, **axis: Any
) -> None:
    """A line for each of ``names``, a colour for each key of ``marks``; where the best is, a
    ``line``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 1 + 0.2 * max(len(names), 5)), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for number, (label, mine) in enumerate(marks.items()):
        axes.plot(
            [value for value, _ in mine],
            [names.index(name) for _, name in mine],
            linestyle="none",
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            label=label,
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


def _methods(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["method"] for row in rows))


def _points(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """Evaluations and the ratio of error to floor, for each setting of one method."""
    points = []
    for options in {str(row["options"]) for row in rows}:
        mine = [row for row in rows if str(row["options"]) == options]
        ratio = ratio_of(mine)
        if ratio is not None:
            points.append((float(np.mean([row["evaluations"] for row in mine])), ratio))
    return points


def _save(figure: Figure, path: Path) -> None:
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png")
