"""Cells of the posterior benchmark, one method on one instance of a problem, and their files."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from invscore import __version__
from invscore.bench.posterior.problem import PROBLEMS, Instance, Scores
from invscore.driver import reconstruct
from invscore.files import atomic_file

EXACT = "exact"
"""Stands for a method: samples of the true posterior."""
STRIDE = 10**6
"""Distance between the seeds of two instances, larger than any number of samples."""


@dataclass(frozen=True)
class Cell:
    """``samples`` samples by ``method`` with all its ``options`` for the instance ``instance``.

    Instances are built from ``seed + instance``: all methods see the same. ``budgets``: the numbers
    of evaluations that come to these options, ``None`` being as many as the options say; what they
    were does not matter to the outcome.
    """

    problem: str
    method: str
    options: dict[str, Any] = field(hash=False)
    samples: int
    instance: int
    seed: int
    budgets: tuple[int | None, ...] = (None,)

    @property
    def first_seed(self) -> int:
        """Seed of the first sample: a multiple of ``particles``, where a particle set begins."""
        seed = self.seed + STRIDE * self.instance
        return seed - seed % self.options.get("particles", 1)

    @property
    def file(self) -> str:
        """A name for its outcome: readable, and another one for other options and versions."""
        decisive = {name: value for name, value in asdict(self).items() if name != "budgets"}
        text = json.dumps([__version__, decisive], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        return f"{self.problem}_{self.method}_{self.instance}_{digest}.json"


@dataclass(frozen=True)
class Outcome:
    """Outcome of a ``cell``: what it measured, or why it was refused.

    ``scores``: a number for each metric; empty where the method gave none, for the reason
    ``refusal``. ``warned``: whether it came with a warning. ``evaluations`` of the denoiser and
    ``products`` with its Jacobian are for each sample, ``seconds`` for all.
    """

    cell: Cell
    scores: Scores
    refusal: str = ""
    evaluations: float = 0.0
    products: float = 0.0
    seconds: float = 0.0
    warned: bool = False


def run(cell: Cell) -> Outcome:
    """Draw the samples and score them.

    What a method cannot do is an outcome: a problem that it refuses, and a state or a score that is
    not finite.
    """
    instance = _instance(cell.problem, cell.seed + cell.instance)
    if cell.method == EXACT:
        began = time.monotonic()
        return Outcome(cell, instance.floor(cell.samples), seconds=time.monotonic() - began)
    try:
        result = reconstruct(
            instance.problem,
            instance.prior,
            method=cell.method,
            samples=cell.samples,
            seed=cell.first_seed,
            **{"antithetic": False, **cell.options},  # figures take them for independent
        )
    except (ValueError, RuntimeError) as error:
        return Outcome(cell, {}, refusal=" ".join(str(error).split()) or type(error).__name__)
    with torch.no_grad():
        scores = instance.score(result.samples.squeeze(1))
    unknown = [name for name, value in scores.items() if not math.isfinite(value)]
    return Outcome(
        cell,
        {} if unknown else scores,
        refusal=f"not finite: {', '.join(unknown)}" if unknown else "",
        evaluations=result.evaluations,
        products=result.jacobian_products,
        seconds=result.seconds,
        warned=bool(result.warnings),
    )


def remembered(cell: Cell, folder: Path) -> Outcome | None:
    """The outcome in ``folder``, if it has one that is whole."""
    file = folder / cell.file
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return Outcome(**{**content, "cell": cell})
    except (FileNotFoundError, ValueError, TypeError):  # a disk that was full leaves a torn file
        return None


def remember(outcome: Outcome, folder: Path) -> None:
    """Write the outcome to ``folder``."""
    with atomic_file(folder / outcome.cell.file) as file:
        file.write_text(json.dumps(asdict(outcome), indent=1) + "\n", encoding="utf-8")


@lru_cache(maxsize=2)
def _instance(problem: str, seed: int) -> Instance:
    """Cells of the same instance follow one another: it is built once."""
    return PROBLEMS[problem].build(seed)
