"""Plan and running of the cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from invscore.bench import running
from invscore.bench.posterior.cells import EXACT, Cell, Outcome, remember, remembered, run
from invscore.bench.posterior.problem import Problem
from invscore.engine import Alone, Engine
from invscore.methods import get_method


@dataclass(frozen=True)
class MethodSetting:
    """A method with options, those that are not given being its defaults."""

    method: str
    options: dict[str, Any] = field(default_factory=dict)

    def at(
        self, evaluations: int | None, samples: int, measurements: int, dim: int
    ) -> MethodSetting:
        """The setting with all options, and as many steps as ``evaluations`` of the denoiser allow.

        ``None``: as many steps as the options say. At least one step. ``samples`` are drawn, which
        share the particles of methods that have them; ``measurements`` are the numbers measured,
        and ``dim`` those of an image.
        """
        if self.method == EXACT:
            return self
        info = get_method(self.method)
        options = info.options(self.options)
        if evaluations is not None:
            shared = {**options, "measurements": measurements, "numbers": min(measurements, dim)}
            if "particles" in options:
                sets = math.ceil(samples / options["particles"])
                shared["particles"] = Fraction(sets * options["particles"], samples)
            # An expression in the options and these numbers, from the registry of methods.
            each = eval(info.evaluations, {"__builtins__": {}}, shared)
            options["steps"] = max(1, int(evaluations / each))
        return MethodSetting(self.method, options)


def plan(
    problems: Iterable[Problem],
    methods: Iterable[MethodSetting],
    *,
    evaluations: Sequence[int | None] = (None,),
    instances: int,
    samples: int | None,
    seed: int = 0,
) -> list[Cell]:
    """The cells of every problem: the floor, then each method at each number of evaluations.

    ``samples``: how many a cell draws, by default what the problem asks for. Methods whose options
    agree appear once, for all the ``budgets`` that come to them.
    """
    entries = [MethodSetting(EXACT), *methods]
    cells = []
    for problem in problems:
        n = samples or problem.samples
        settings = _merged(
            [
                (entry.at(number, n, problem.measurements, problem.dim), number)
                for entry, number in product(entries, evaluations)
            ]
        )
        cells += [
            Cell(problem.name, setting.method, setting.options, n, instance, seed, budgets)
            for instance in range(instances)
            for setting, budgets in settings
        ]
    return cells


def _merged(
    settings: Sequence[tuple[MethodSetting, int | None]],
) -> list[tuple[MethodSetting, tuple[int | None, ...]]]:
    """Settings without repetition, each with all its budgets."""
    merged: list[tuple[MethodSetting, tuple[int | None, ...]]] = []
    for setting, _ in settings:
        budgets = tuple(dict.fromkeys(budget for other, budget in settings if other == setting))
        if (setting, budgets) not in merged:
            merged.append((setting, budgets))
    return merged


def run_cells(
    cells: Sequence[Cell],
    folder: Path,
    *,
    engine: Engine | None = None,
    on_cell: running.OnCell = lambda done, total: None,
) -> list[Outcome]:
    """The outcome of every cell, in order; those that ``folder`` remembers are not run again.

    ``on_cell(done, total)`` is told of each cell that has been run.
    """
    work = partial(_run_and_remember, folder)
    return running.run_cells(cells, folder, work, remembered, engine or Alone(), on_cell)


def _run_and_remember(folder: Path, cell: Cell) -> None:
    remember(run(cell), folder)
