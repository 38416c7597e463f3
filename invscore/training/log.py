"""The log of a training run: a CSV file with one row for each time that the run was saved."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median

from invscore.files import atomic_file


@dataclass
class Tally:
    """The steps since the last row."""

    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    skipped: int = 0

    def add(self, loss: float, norm: float, made: bool) -> None:
        self.losses.append(loss)
        self.norms.append(norm)
        self.skipped += not made

    def summary(self) -> dict[str, float]:
        """The mean loss, the median gradient norm and the number of skipped steps."""
        return {
            "loss": round(fmean(self.losses), 6),
            "gradient_norm": round(median(self.norms), 6),
            "skipped": self.skipped,
        }


def write_row(path: Path, row: Mapping[str, float]) -> None:
    """Add ``row`` to the log ``path``, in place of rows of its step and later ones.

    A run that was interrupted comes by the same steps again. The columns become those of ``row``.
    A file that is no such log, as other programs may leave it, is set aside with a warning: hours
    of training must not end for it.
    """
    try:
        earlier = _rows_before(path, row["step"]) if path.exists() else []
    except (KeyError, TypeError, ValueError, csv.Error):
        aside = path.with_stem(f"{path.stem}-before-step-{row['step']}")
        os.replace(path, aside)
        warnings.warn(
            f"{str(path)!r} is no log with a column 'step', separated by commas: it is now "
            f"{str(aside)!r}, and another begins",
            stacklevel=2,
        )
        earlier = []
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(row), extrasaction="ignore")
        writer.writeheader()
        writer.writerows([*earlier, row])


def _rows_before(path: Path, step: float) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if int(row["step"]) < step]
