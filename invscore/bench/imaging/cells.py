"""Cells of the imaging benchmark, one method on one measurement of one image, and their files."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from invscore import __version__
from invscore.bench.imaging.sources import BenchmarkImage
from invscore.files import atomic_file
from invscore.hardware.precision import FixedPrecision

SUFFIX = ".safetensors"
OUTCOME = "outcome"


@dataclass(frozen=True)
class Cell:
    """``samples`` samples by ``method`` with all its ``options``, of ``source`` seen by ``op``.

    ``label``: what tables call the method. ``prior``: its name or file, ``None`` for a method
    without one, and ``weights`` a digest of its weights. ``seed``: of the noise in the measurement
    and, k being added, of sample k; ``repeat`` counts the seeds of one image.
    ``precision``: in which the prior's network computes.
    """

    task: str
    op: str
    noise: float
    source: BenchmarkImage
    method: str
    label: str
    options: dict[str, Any] = field(hash=False)
    samples: int
    prior: str | None
    weights: str
    seed: int
    repeat: int
    precision: FixedPrecision = "fp32"

    @property
    def file(self) -> str:
        """A name for its outcome: readable, and another one for other options and versions."""
        text = json.dumps([__version__, asdict(self)], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        words = "_".join((self.task, self.source.name, self.label))
        return f"{re.sub(r'[^a-zA-Z0-9_.-]+', '-', words)}_{digest}{SUFFIX}"


@dataclass(frozen=True)
class Outcome:
    """Outcome of a ``cell``: what it measured, or why it was refused.

    ``figures``: what was measured, by the names of the columns of a row; empty where the method
    gave nothing, for the reason ``refusal``. ``tensors``: the pictures ``measurement``,
    ``reconstruction``, ``truth`` and ``uncertainty``, (c, h, w) in image units, ``samples``,
    (n, c, h, w), and ``errors``, see ``scores.measure``; any of them may be missing.
    """

    cell: Cell
    figures: dict[str, Any]
    refusal: str = ""
    tensors: dict[str, Tensor] = field(default_factory=dict, repr=False)


def remember(outcome: Outcome, folder: Path) -> None:
    """Write the outcome to ``folder``: as a whole or not at all."""
    content = {
        "cell": asdict(outcome.cell),
        "figures": outcome.figures,
        "refusal": outcome.refusal,
    }
    with atomic_file(folder / outcome.cell.file) as file:
        save_file(outcome.tensors, file, metadata={OUTCOME: json.dumps(content)})


def remembered(cell: Cell, folder: Path, *, tensors: bool = False) -> Outcome | None:
    """The outcome in ``folder``, if it has one; with its ``tensors`` where they are asked for."""
    file = folder / cell.file
    try:
        with safe_open(file, "pt") as opened:
            content = json.loads(opened.metadata()[OUTCOME])
        loaded = load_file(file) if tensors else {}
    except (FileNotFoundError, SafetensorError):  # a disk that was full leaves a torn file
        return None
    return Outcome(cell, content["figures"], content["refusal"], loaded)
