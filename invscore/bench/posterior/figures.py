"""Pictures of the rows: error against evaluations, and calibration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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


def error_figure(rows: Sequence[Row], path: Path) -> None:
    """Error over floor against evaluations, a panel for each family, a line for each method."""
    # Half a second to import; a Figure without pyplot needs no display.
    from matplotlib.figure import Figure

    chosen = [row for row in primary(rows) if row["error"] is not None]
    families = list(dict.fromkeys(PROBLEMS[row["problem"]].family for row in chosen))
    methods = list(dict.fromkeys(row["method"] for row in chosen))
    figure = Figure(figsize=(WIDTH * len(families) + 1.6, HEIGHT), dpi=DPI, layout="constrained")
    for place, family in enumerate(families):
        axes = figure.add_subplot(1, len(families), place + 1)
        for number, method in enumerate(methods):
            mine = [
                row
                for row in chosen
                if row["method"] == method and PROBLEMS[row["problem"]].family == family
            ]
            points = sorted(_points(mine))
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


def calibration_figure(rows: Sequence[Row], path: Path) -> None:
    """The coverage of 90 % intervals by method, a mark for each problem that measures it."""
    from matplotlib.figure import Figure

    chosen = [row for row in rows if row["metric"] == COVERAGE.name and row["value"] is not None]
    methods = list(dict.fromkeys(row["method"] for row in chosen))
    problems = list(dict.fromkeys(row["problem"] for row in chosen))
    figure = Figure(figsize=(6.5, 1 + 0.2 * max(len(methods), 5)), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    for number, problem in enumerate(problems):
        mine = [row for row in chosen if row["problem"] == problem]
        axes.plot(
            [row["value"] for row in mine],
            [methods.index(row["method"]) for row in mine],
            linestyle="none",
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            label=problem,
        )
    axes.axvline(CREDIBLE, color="black", linewidth=1)
    axes.set(xlim=(0, 1), xlabel="coverage of 90 % intervals")
    axes.set_yticks(np.arange(len(methods)), methods, fontsize=7)
    axes.invert_yaxis()
    axes.legend(loc="lower left", fontsize=7, frameon=False)
    _save(figure, path)


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
