"""A picture of the ranks of the truth among posterior samples, a histogram for each method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from invscore.bench.posterior.cells import EXACT, Outcome
from invscore.bench.posterior.sbc import TENTHS
from invscore.bench.posterior.tables import label
from invscore.files import atomic_file

Histograms = dict[str, dict[str, list[float]]]
"""The shares of ranks in bins of equal mass, for each method of each problem."""

COLUMNS = 6
WIDTH, HEIGHT, DPI = 1.7, 1.5, 150  # inches of a panel


def histograms(outcomes: Sequence[Outcome]) -> Histograms:
    """The means over instances, of those problems that have ranks."""
    found: dict[str, dict[str, list[list[float]]]] = {}
    for outcome in outcomes:
        cell = outcome.cell
        if cell.method != EXACT and TENTHS[0] in outcome.scores:
            name = label({"method": cell.method, "options": cell.options})
            shares = [outcome.scores[tenth] for tenth in TENTHS]
            found.setdefault(cell.problem, {}).setdefault(name, []).append(shares)
    return {
        problem: {name: np.mean(shares, axis=0).tolist() for name, shares in methods.items()}
        for problem, methods in found.items()
    }


def rank_figure(found: Histograms, path: Path) -> None:
    """A panel for each method of each problem; the line is where uniform ranks are.

    A hill: samples that are too wide. A valley: too narrow. A slope: too low or too high.
    """
    # Half a second to import; a Figure without pyplot needs no display.
    from matplotlib.figure import Figure

    panels = [(problem, *item) for problem, methods in found.items() for item in methods.items()]
    columns = min(COLUMNS, len(panels))
    lines = math.ceil(len(panels) / columns)
    size = (max(WIDTH * columns, 2.5), HEIGHT * lines + 0.3)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    for place, (problem, name, shares) in enumerate(panels, start=1):
        axes = figure.add_subplot(lines, columns, place)
        axes.bar((np.arange(len(shares)) + 0.5) / len(shares), shares, width=0.9 / len(shares))
        axes.axhline(1 / len(shares), color="black", linewidth=1)
        axes.set(xlim=(0, 1), xticks=[], yticks=[])
        axes.set_title(f"{name}\n{problem}", fontsize=6)
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png")
